"""Identity providers for the tests, both on the loopback.

`real` starts panva's oidc-provider, an OpenID-certified implementation in another language, by other people, that shares
no code with the library under test: what the two agree on is the standard. It comes from npm (package.json, MIT licence),
for the tests alone, and `make test` installs it. `misbehaving` is a small server of ours that does what a certified
provider never would.
"""
