"""Entry point of `python -m infoscope`."""

from infoscope.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
