"""`python -m gateway.cli`, by which `consilium up` starts its programs."""

from gateway.cli.entry import main

if __name__ == "__main__":
    main()
