"""``python -m fanwise``: the command line, where its script is not on PATH."""

from fanwise.cli import main

if __name__ == "__main__":
    main()
