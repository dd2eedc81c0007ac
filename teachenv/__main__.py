"""``python -m teachenv`` is the ``teachenv`` command."""

from teachenv.cli import main

main()
