"""What does a neural network learn cosmology from in a weak-lensing survey?"""
