"""`python -m gateway.cli`, by which `consilium up` starts its programs."""

from gateway.cli.entry import run

if __name__ == "__main__":
    run()
