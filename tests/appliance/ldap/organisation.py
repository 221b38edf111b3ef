"""A small organisation, as LDIF: people in every state, groups in groups, in circles, and two of one name."""

from __future__ import annotations

import base64
import uuid

from tests.appliance.ldap.slapd import SERVICE_DN, SERVICE_PASSWORD, SUFFIX

PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
STAFF = f"ou=staff,{SUFFIX}"
"""Where people of the other kind are, with Active Directory's attributes."""

PASSWORD = "correct horse"


def dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def group_dn(cn: str, below: str = GROUPS) -> str:
    return f"cn={cn},{below}"


def ldif() -> str:
    return "\n\n".join((_frame(), *_people(), *_groups(), *_staff())) + "\n"


def person(uid: str, *lines: str) -> str:
    classes = "objectClass: inetOrgPerson\nobjectClass: shadowAccount"
    extra = "".join(f"\n{line}" for line in lines)
    return (
        f"dn: {dn(uid)}\n{classes}\nuid: {uid}\ncn: {uid.title()} Example\nsn: Example\nuserPassword: {PASSWORD}{extra}"
    )


def group(cn: str, *members: str, below: str = GROUPS) -> str:
    listed = "\n".join(f"member: {member}" for member in members)
    return f"dn: {group_dn(cn, below)}\nobjectClass: groupOfNames\ncn: {cn}\n{listed}"


def staff_dn(name: str) -> str:
    return f"cn={name},{STAFF}"


def guid(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, name)


def _frame() -> str:
    unit = "dn: ou={0},{1}\nobjectClass: organizationalUnit\nou: {0}"
    return "\n\n".join(
        (
            f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
            f"dn: {SERVICE_DN}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: strongroom\n"
            f"userPassword: {SERVICE_PASSWORD}",
            f"dn: cn=policy,{SUFFIX}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\n"
            "pwdLockout: TRUE\npwdMaxFailure: 3\npwdLockoutDuration: 300",
            *(unit.format(name, SUFFIX) for name in ("people", "groups", "staff")),
            *(unit.format(name, GROUPS) for name in ("berlin", "paris")),
            f"dn: ou=elsewhere,{SUFFIX}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n"
            "ref: ldap://127.0.0.1:1/dc=elsewhere",
        )
    )


def _people() -> tuple[str, ...]:
    return (
        person("anna", "displayName: Anna Ärmel"),
        person("boris"),
        person("carla"),
        person("dora"),
        person("gone"),
        person("expired", "shadowExpire: 1"),
        person("ending", "shadowExpire: 100000"),
        person("locked", "pwdAccountLockedTime: 000001010000Z"),
        person("mustchange", "pwdReset: TRUE"),
        person("(star)*"),
        person("guessed"),
        person("twice"),
        f"dn: cn=second,{PEOPLE}\nobjectClass: inetOrgPerson\nuid: twice\ncn: second\nsn: Example\nuserPassword: {PASSWORD}",
    )


def _groups() -> tuple[str, ...]:
    lines = "\n".join(f"memberUid: {uid}" for uid in ("anna",))
    return (
        group("rag-finance", dn("anna"), dn("gone")),
        group("rag-all", group_dn("rag-finance"), group_dn("rag-circle-b")),
        group("rag-circle-a", group_dn("rag-circle-b"), dn("boris")),
        group("rag-circle-b", group_dn("rag-circle-a")),
        group("canteen", dn("anna"), dn("boris")),
        group("Geheimhaltung, Stufe 2".replace(",", "\\2C"), dn("anna")).replace(
            "cn: Geheimhaltung\\2C", "cn: Geheimhaltung,"
        ),
        group("rag-sales", dn("anna"), below=f"ou=berlin,{GROUPS}"),
        group("rag-sales", dn("boris"), below=f"ou=paris,{GROUPS}"),
        group("operators", dn("carla"), dn("dora")),
        group("auditors", dn("dora")),
        f"dn: cn=rag-unix,{GROUPS}\nobjectClass: posixGroup\ncn: rag-unix\ngidNumber: 1000\n{lines}",
        f"dn: cn=rag-unique,{GROUPS}\nobjectClass: groupOfUniqueNames\ncn: rag-unique\nuniqueMember: {group_dn('rag-finance')}",
    )


def _staff() -> tuple[str, ...]:
    def member(name: str, control: int, expires: int, last_set: int) -> str:
        octets = base64.b64encode(guid(name).bytes_le).decode()
        return (
            f"dn: {staff_dn(name)}\nobjectClass: user\ncn: {name}\nsn: {name}\nsAMAccountName: {name}\n"
            f"objectGUID:: {octets}\nuserAccountControl: {control}\naccountExpires: {expires}\npwdLastSet: {last_set}\n"
            f"userPassword: {PASSWORD}"
        )

    never = 0x7FFF_FFFF_FFFF_FFFF
    return (
        member("Erika", 512, never, 133_000_000_000_000_000),
        member("disabled", 514, never, 133_000_000_000_000_000),
        member("expired", 512, 133_000_000_000_000_000, 133_000_000_000_000_000),
        member("mustchange", 512, 0, 0),
        f"dn: cn=RAG Board,{STAFF}\nobjectClass: group\ncn: RAG Board\nmember: {staff_dn('Erika')}",
    )
