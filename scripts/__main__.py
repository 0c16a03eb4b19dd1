"""``python -m scripts <command>``: the Makefile's commands."""

import sys


def _command(name, arguments):
    if name in ("run", "stop", "clean"):
        from . import serve

        return getattr(serve, name)()
    if name == "odoo":
        from . import odoo_command

        return odoo_command.execute(arguments)
    if name in ("test", "verify", "known_failures"):
        from . import testing

        return getattr(testing, name)()
    if name in ("lint", "bench", "i18n", "pictures", "sdk"):
        import importlib

        return importlib.import_module(f".{name}", __package__).main()
    sys.stderr.write(f"Unknown command {name}.\n")
    return 2


def _main():
    from . import console

    name, *arguments = sys.argv[1:] or ["run"]
    return console.main(lambda: _command(name, arguments))


sys.exit(_main())
