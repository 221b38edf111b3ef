"""`python -m appliance.cli` is `strongroom`."""

from appliance.cli.entry import main

if __name__ == "__main__":
    main()
