"""SeedHue from a checkout: `python main.py` is the window, `python main.py COMMAND` a command."""

import sys

from app.commands.start import main

if __name__ == "__main__":
    sys.exit(main())
