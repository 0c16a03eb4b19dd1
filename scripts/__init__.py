"""What the Makefile calls: set-up, serving, tests. Standard library only, so that
it runs on a machine that has nothing but git, make and Python."""
