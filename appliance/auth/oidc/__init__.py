"""Single sign-on with OpenID Connect: what a provider says, and what of it is believed.

`channel` speaks to the provider and to nobody else, `provider` knows its addresses and keys, `id_token` judges what it
signed, `claims` reads who that is, and `sign_on` tells the story: begin, finish.
"""
