"""The command line."""


def main() -> None:
    """The ``fanwise`` program: reads its arguments from the process and ends the process."""
    from fanwise.cli.app import app

    app(prog_name="fanwise")
