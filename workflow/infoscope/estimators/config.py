"""Config of the estimators."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from infoscope.models import Model


class CNNConfig(Model):
    """Residual convolutional network on tiles."""

    kind: Literal["cnn"] = "cnn"
    stem: int = Field(
        4, ge=1, description="Side in pixels of the blocks that become features."
    )
    features: int = Field(128, ge=1, description="Features of such a block.")
    channels: int = Field(16, ge=1, description="Channels of the residual blocks.")
    blocks: int = Field(2, ge=1, description="Number of residual blocks.")
    steps: int = Field(4000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(64, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(4e-3, gt=0, description="Peak of Adam's step.")


class DeepLSSConfig(Model):
    """Residual network with the sizes of DeepLSS, for a GPU."""

    kind: Literal["deeplss"] = "deeplss"
    channels: int = Field(128, ge=2, description="Filters of the residual blocks.")
    blocks: int = Field(10, ge=1, description="Number of residual blocks.")
    steps: int = Field(20000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(32, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(5e-5, gt=0, description="Peak of Adam's step.")


class PowerSpectrumConfig(Model):
    """Perceptron on binned auto- and cross-spectra of the same tiles."""

    kind: Literal["power_spectrum"] = "power_spectrum"
    n_ell: int = Field(8, ge=1, description="Number of bins in |ℓ|.")
    hidden: int = Field(64, ge=1, description="Width of the two hidden layers.")
    steps: int = Field(3000, ge=1, description="Most gradient steps.")
    batch_size: int = Field(256, ge=1, description="Tiles in a gradient step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak of Adam's step.")


Estimator = Annotated[
    CNNConfig | DeepLSSConfig | PowerSpectrumConfig, Field(discriminator="kind")
]


class TrainingConfig(Model):
    """What all trainings share."""

    seeds: int = Field(2, ge=1, description="Trainings of each estimator.")
    evaluate_every: int = Field(
        250, ge=1, description="Steps between two looks at the validation skies."
    )
    patience: int = Field(
        8, ge=1, description="Looks without progress before training stops."
    )
