"""LDAP: sign-in against an organisation's directory (OpenLDAP, Active Directory), and its groups.

`ber`, `filters` and `connection` speak the protocol, `entries` and `groups` read what a directory says of people,
`directory` brings them together into an `Identity`, and `sync` keeps what the appliance knows up to date.
"""
