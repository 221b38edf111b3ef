"""Who somebody is: accounts, groups, sign-in sessions and tokens, and the `Principal` they become."""
