"""Run the command line as `python -m deltaworks`."""

from deltaworks.cli import main

if __name__ == "__main__":
    main()
