"""`python -m dirql`: the command line."""

from dirql.cli import main

if __name__ == "__main__":
    main()
