"""``python -m rtpacs``: the command line."""

from rtpacs.cli import main

main()
