"""Documentation of the config, generated from its models: `make docs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infoscope.study.config import Study

ROOT = Path(__file__).parents[3]
HEADER = """# Every key of the config

Generated from the models of the config by `make docs`; do not edit. A study is one
YAML file, chosen with `--configfile`; without that `config/config.yaml` is used. Keys
that are left out have the defaults given here. Unknown keys are refused.
"""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return (
            f"[{field['$ref'].split('/')[-1]}](#{field['$ref'].split('/')[-1].lower()})"
        )
    for union in ("anyOf", "oneOf"):
        if union in field:
            return " or ".join(_type(member) for member in field[union])
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = field.get("type", "any")
    if kind == "array":
        if "prefixItems" in field:
            return "[" + ", ".join(_type(item) for item in field["prefixItems"]) + "]"
        return f"list of {_type(field['items'])}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"name → {_type(field['additionalProperties'])}"
    limits = {
        "exclusiveMinimum": ">",
        "minimum": "≥",
        "exclusiveMaximum": "<",
        "maximum": "≤",
    }
    bounds = [f"{sign} {field[key]}" for key, sign in limits.items() if key in field]
    return " ".join([kind, *bounds])


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Put choices of words where they are used: they need no section of their own."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].split("/")[-1]]
        if "enum" in target:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return {"enum": target["enum"], **rest}
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def _section(name: str, schema: dict[str, Any]) -> str:
    lines = [f"## {name}", "", schema.get("description", ""), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    # what says which model it is comes first
    fields = sorted(
        schema["properties"].items(), key=lambda item: "const" not in item[1]
    )
    for key, field in fields:
        default = "required"
        if "default" in field:
            default = f"`{json.dumps(field['default'], ensure_ascii=False)}`"
            if isinstance(field["default"], dict):
                default = "see there"
        elif key not in schema.get("required", []):
            default = "see below"
        kind = _type(field).replace("|", "\\|")
        lines.append(
            f"| `{key}` | {kind} | {default} | {field.get('description', '')} |"
        )
    return "\n".join(lines)


def markdown() -> str:
    """Describe all keys in Markdown."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    schema = _inlined(schema, definitions)
    sections = [_section("Study", schema)]
    sections += [
        _section(name, part)
        for name, part in schema["$defs"].items()
        if "enum" not in part
    ]
    return HEADER + "\n" + "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    (ROOT / "config/README.md").write_text(markdown())
    text = json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False)
    (ROOT / "workflow/schemas/config.schema.json").write_text(text + "\n")
