"""The case table: every difference between declared and observed that can exist, and what is planned for it.

Each row changes a site that was just applied, and says what the plan then holds. `docs/planning.md` cites rows by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from fractions import Fraction

from pkiplan.model.extensions import (
    ACCESS_METHODS,
    EXTENDED_KEY_USAGES,
    EXTENSION_OIDS,
    AccessDescription,
    AuthorityInfoAccess,
    BasicConstraints,
    CertificatePolicies,
    CrlDistributionPoints,
    ExtendedKeyUsage,
    Extension,
    InhibitAnyPolicy,
    KeyUsage,
    NameConstraints,
    OcspNoCheck,
    OtherExtension,
    Policy,
    PolicyConstraints,
    SubjectAltName,
    SubjectInfoAccess,
    TlsFeature,
    UserNotice,
)
from pkiplan.model.keys import (
    Curve,
    EcKeySpec,
    EdKeySpec,
    ExternalKey,
    FileAttributes,
    KeyEncryption,
    KeyForm,
    MlDsaKeySpec,
    OtherKey,
    PssBond,
    RsaKeySpec,
)
from pkiplan.model.names import (
    ATTRIBUTE_TYPES,
    DistinguishedName,
    GeneralName,
    GeneralNameKind,
    NameAttribute,
    OtherNameValue,
)
from pkiplan.model.observed import Found, Missing, ObservedCertificate, OutputContents, Unreadable
from pkiplan.model.resource import CHAIN_FILE, CNF_FILE, FULLCHAIN_FILE, Output, Resource
from pkiplan.model.secret_references import EnvSecret
from pkiplan.model.site import Site
from pkiplan.model.validity import Validity
from pkiplan.plan.changes import Action, Reason
from tests.plan.simulate import World, digest
from tests.plan.sites import (
    NOW,
    authority,
    certificate,
    common_name,
    days,
    dns,
    edited,
    extension,
    name,
    site_of,
    with_extension,
    with_key,
    without_extension,
)

WEB, API, LEGACY, GIVEN, ADOPTED = (f"certificate.{n}" for n in ("web", "api", "legacy", "given", "adopted"))
DEEP, SUB = "certificate.deep", "authority.sub"
ROOT, ISSUING, OTHER = "authority.root", "authority.issuing", "authority.other"
NEW_ROOT, NEW_ISSUING = "authority.new_root", "authority.new_issuing"
PRIVATE = FileAttributes(mode=0o600)
PASSPHRASE = (EnvSecret("KEY_PASSPHRASE"),)
OLDER = EnvSecret("OLDER_PASSPHRASE")

OUTPUTS = (
    Output(format="pem-combined", path="haproxy.pem", attributes=PRIVATE),
    Output(format="pkcs12", path="web.p12", attributes=PRIVATE, passphrases=PASSPHRASE),
    Output(format="der", path="web.der", attributes=FileAttributes(mode=0o644)),
    Output(format="pem-chain", path="bundle.pem", attributes=FileAttributes(mode=0o644)),
)


def case_site() -> Site:
    """Give the site of the case table: two authorities in a row, one beside them, and every kind of certificate."""
    given = replace(certificate("given"), key=ExternalKey(path="/site/request.pem", is_request=True))
    adopted = with_key(
        replace(certificate("adopted"), cert_path="/etc/ssl/adopted.pem"), path="/etc/ssl/adopted.key", is_adopted=True
    )
    return site_of(
        authority("root"),
        authority("issuing", "root", lifetime=1095, path_length=0),
        authority("other", "root", lifetime=1095),
        adopted,
        replace(certificate("api"), outputs=OUTPUTS),
        given,
        certificate("legacy", None, lifetime=365),
        certificate("web"),
    )


def with_sub_authority(site: Site) -> Site:
    """Give the site with an authority beneath the issuing one, and a leaf beneath that."""
    sub, deep = authority("sub", "issuing", lifetime=900), certificate("deep", "sub")
    return replace(site, resources={**site.resources, sub.address: sub, deep.address: deep})


def case_world() -> World:
    """Give that site, applied."""
    site = case_site()
    world = World(site)
    world.give_key(site.resources[GIVEN])
    world.give_key(site.resources[ADOPTED])
    # What is adopted was made by others: here, as if it had been issued by the declared issuer.
    world.site = edited(site, ADOPTED, lambda resource: replace(resource, cert_path=None))
    world.apply()
    world.site = site
    assert not world.plan().changes
    return world


Mutation = Callable[[World], None]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row: what is changed, and what is planned for `address`, and for `also`; nothing else may change."""

    sentence: str
    change: Mutation
    action: Action
    reasons: Sequence[Reason]
    address: str = WEB
    also: Mapping[str, Action] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)


def declare(edit: Callable[[Resource], Resource], address: str = WEB) -> Mutation:
    def change(world: World) -> None:
        world.site = edited(world.site, address, edit)

    return change


def declares(address: str = WEB, **fields: object) -> Mutation:
    return declare(lambda resource: replace(resource, **fields), address)  # type: ignore[arg-type]


def declares_key(address: str = WEB, **fields: object) -> Mutation:
    return declare(lambda resource: with_key(resource, **fields), address)


def finds(address: str = WEB, **fields: object) -> Mutation:
    return lambda world: world.edit_certificate(address, **fields)


def finds_key(address: str = WEB, **fields: object) -> Mutation:
    return lambda world: world.edit_key(address, **fields)


def in_turn(*changes: Mutation) -> Mutation:
    def change(world: World) -> None:
        for one in changes:
            one(world)

    return change


def after(number: float, *changes: Mutation) -> Mutation:
    return in_turn(*changes, lambda world: world.pass_days(number))


def just_before_its_window(world: World) -> None:
    found = world.certificate(WEB)
    world.now = found.not_after - timedelta(seconds=int((found.not_after - found.not_before).total_seconds() / 3) + 1)


def at_its_window(world: World) -> None:
    found = world.certificate(WEB)
    world.now = found.not_after - timedelta(seconds=int((found.not_after - found.not_before).total_seconds() / 3))


def at_its_last_second(world: World) -> None:
    world.now = world.certificate(WEB).not_after


def a_second_after_its_end(world: World) -> None:
    world.now = world.certificate(WEB).not_after + timedelta(seconds=1)


def foreign(world: World, address: str, **fields: object) -> ObservedCertificate:
    """Make a valid certificate of the same names that others signed for another key."""
    found = replace(
        world.certificate(address),
        fingerprint_sha256=digest("foreign", address),
        spki_sha256=digest("foreign key", address),
        subject_key_id=b"foreign",
        key_id_of_key=b"foreign",
        key_id_when_signed=b"foreign",
        authority_key_id=b"stranger",
        issuer=common_name("Stranger"),
        issuer_der=b"stranger",
        **fields,  # type: ignore[arg-type]
    )
    world.disk.signers[found.fingerprint_sha256] = digest("stranger")
    return found


def swaps_certificate(address: str) -> Mutation:
    return lambda world: world.set_certificate(address, Found(foreign(world, address)))


def self_signed_in_place(world: World) -> None:
    found = world.certificate(WEB)
    forged = replace(
        found,
        fingerprint_sha256=digest("self"),
        issuer=found.subject,
        issuer_der=found.subject_der,
        authority_key_id=found.subject_key_id,
    )
    world.disk.signers[forged.fingerprint_sha256] = found.spki_sha256
    world.set_certificate(WEB, Found(forged))


def signed_by_another_key(world: World) -> None:
    world.disk.signers[world.certificate(WEB).fingerprint_sha256] = digest("another key")


def issuing_has_another_key_and_the_same_name(world: World) -> None:
    key = digest("another key")
    found = replace(
        world.certificate(ISSUING),
        fingerprint_sha256=digest("new issuing"),
        spki_sha256=key,
        subject_key_id=b"new",
        key_id_of_key=b"new",
        key_id_when_signed=b"new",
    )
    world.disk.signers[found.fingerprint_sha256] = world.key(ROOT).spki_sha256 or ""
    world.set_certificate(ISSUING, Found(found))
    world.edit_key(ISSUING, spki_sha256=key)


def serial_of_api(world: World) -> None:
    world.edit_certificate(WEB, serial=world.certificate(API).serial)


def set_certificate(address: str, observation: object) -> Mutation:
    return lambda world: world.set_certificate(address, observation)  # type: ignore[arg-type]


def set_key(address: str, observation: object) -> Mutation:
    return lambda world: world.set_key(address, observation)  # type: ignore[arg-type]


def set_file(address: str, path: str, observation: object) -> Mutation:
    return lambda world: world.set_file(address, path, observation)  # type: ignore[arg-type]


def holds(address: str, path: str, **contents: object) -> Mutation:
    def change(world: World) -> None:
        file = world.file(address, path)
        world.set_file(address, path, Found(replace(file, contents=replace(file.contents, **contents))))  # type: ignore[arg-type]

    return change


def holds_reversed(address: str, path: str) -> Mutation:
    def change(world: World) -> None:
        holds(address, path, certificates=world.file(address, path).contents.certificates[::-1])(world)

    return change


def has_attributes(address: str, path: str, **facts: object) -> Mutation:
    def change(world: World) -> None:
        file = world.file(address, path)
        world.set_file(address, path, Found(replace(file, file=replace(file.file, **facts))))  # type: ignore[arg-type]

    return change


def certificate_has(address: str, **facts: object) -> Mutation:
    def change(world: World) -> None:
        found = world.certificate(address)
        world.edit_certificate(address, file=replace(found.file, **facts))  # type: ignore[arg-type]

    return change


def key_has(address: str, **facts: object) -> Mutation:
    def change(world: World) -> None:
        world.edit_key(address, file=replace(world.key(address).file, **facts))  # type: ignore[arg-type]

    return change


def key_is_under(opener: EnvSecret, address: str = WEB) -> Mutation:
    """Declare two passphrases, and find the key under one of them."""

    def change(world: World) -> None:
        declares_key(address, passphrases=(*PASSPHRASE, OLDER))(world)
        world.edit_key(address, opened_by=str(opener))

    return change


def key_is_encrypted(address: str, encryption: KeyEncryption, *, is_known: bool = True) -> Mutation:
    """Declare a passphrase, and find the key under an encryption, remembered or not."""

    def change(world: World) -> None:
        declares_key(address, passphrases=PASSPHRASE, plain_is_intended=False)(world)
        world.edit_key(address, encryption=encryption)
        if not is_known:
            world.disk.closed[address] = world.key(address).spki_sha256 or ""
            world.edit_key(address, spki_sha256=None, spec=None)

    return change


def gone(address: str) -> Mutation:
    return lambda world: world.disk.resources.__delitem__(address)


def has_sub_authority(world: World) -> None:
    world.site = with_sub_authority(world.site)
    world.apply()


def is_moved_beneath_new_ones(world: World) -> None:
    new = authority("new_root"), authority("new_issuing", "new_root")
    resources = {one.address: one for one in new}
    world.site = replace(world.site, resources={**resources, **world.site.resources})
    declares(issuer=NEW_ISSUING)(world)


def applied(change: Mutation, number: float = 0) -> Mutation:
    """Carry a change out, as an earlier apply did, and let days pass."""

    def whole(world: World) -> None:
        change(world)
        world.apply()
        world.pass_days(number)

    return whole


def san(*names: GeneralName) -> Extension:
    return extension("subject_alt_name", SubjectAltName(tuple(sorted(names, key=lambda n: n.sort_key))))


OWN_NAME = GeneralName(GeneralNameKind.DNS, "web.example")
NAMES: dict[str, GeneralName] = {
    "DNS name": GeneralName(GeneralNameKind.DNS, "www.example"),
    "IPv4 address": GeneralName(GeneralNameKind.IP, "10.0.0.2"),
    "IPv6 address": GeneralName(GeneralNameKind.IP, "2001:db8::2"),
    "URI": GeneralName(GeneralNameKind.URI, "https://example/id"),
    "email address": GeneralName(GeneralNameKind.EMAIL, "ops@example"),
    "UPN": GeneralName(GeneralNameKind.UPN, "ops@example"),
    "registered id": GeneralName(GeneralNameKind.RID, "1.2.3"),
    "directory name": GeneralName(GeneralNameKind.DIR_NAME, common_name("other")),
    "other name": GeneralName(GeneralNameKind.OTHER_NAME, OtherNameValue("1.2.3", b"\x05\x00")),
}
URI = "http://pki.example/issuing"
POLICY = Policy("1.2.3.4", cps=(URI,), notices=(UserNotice(text="mind"), UserNotice(organization="Acme", numbers=(1,))))
# An extension, and the same with another value; what a certificate can hold beside its names.
EXTENSIONS: dict[str, tuple[Extension, Extension]] = {
    word: (extension(word, first), extension(word, second))
    for word, first, second in (
        ("basic_constraints", BasicConstraints(False), BasicConstraints(True)),
        ("key_usage", KeyUsage(("digital_signature",)), KeyUsage(("digital_signature", "key_encipherment"))),
        (
            "extended_key_usage",
            ExtendedKeyUsage((EXTENDED_KEY_USAGES["server_auth"],)),
            ExtendedKeyUsage((EXTENDED_KEY_USAGES["client_auth"], EXTENDED_KEY_USAGES["server_auth"])),
        ),
        (
            "name_constraints",
            NameConstraints(permitted=dns("example")),
            NameConstraints(permitted=dns("example"), excluded=dns("x.example")),
        ),
        ("policies", CertificatePolicies((Policy("1.2.3"),)), CertificatePolicies((POLICY, Policy("1.2.3")))),
        (
            "policy_constraints",
            PolicyConstraints(require_explicit_policy=0),
            PolicyConstraints(require_explicit_policy=1, inhibit_policy_mapping=2),
        ),
        ("inhibit_any_policy", InhibitAnyPolicy(0), InhibitAnyPolicy(1)),
        ("crl_distribution_points", CrlDistributionPoints((URI,)), CrlDistributionPoints((URI, f"{URI}.crl"))),
        (
            "aia",
            AuthorityInfoAccess((AccessDescription(ACCESS_METHODS["ocsp"], URI),)),
            AuthorityInfoAccess((AccessDescription("1.2.3", URI),)),
        ),
        (
            "sia",
            SubjectInfoAccess((AccessDescription(ACCESS_METHODS["ca_repository"], URI),)),
            SubjectInfoAccess((AccessDescription(ACCESS_METHODS["ca_repository"], f"{URI}/2"),)),
        ),
        ("tls_feature", TlsFeature((5,)), TlsFeature((5, 17, 99))),
    )
}
EXTENSIONS["ocsp_no_check"] = (
    extension("ocsp_no_check", OcspNoCheck()),
    extension("ocsp_no_check", OcspNoCheck(), critical=True),
)
EXTENSIONS["1.2.3.4"] = (
    Extension("1.2.3.4", False, OtherExtension("1.2.3.4", b"\x05\x00")),
    Extension("1.2.3.4", False, OtherExtension("1.2.3.4", b"\x01\x01\xff", asn1="BOOLEAN:TRUE")),
)
NEW_EXTENSIONS = {
    word: pair
    for word, pair in EXTENSIONS.items()
    if word not in ("basic_constraints", "key_usage", "extended_key_usage")
}


def has_extension(new: Extension) -> Mutation:
    """Declare an extension, and have it applied."""
    return applied(declare(lambda resource: with_extension(resource, new)))


def extends(new: Extension) -> Mutation:
    """Declare an extension."""
    return declare(lambda resource: with_extension(resource, new))


def drops_extension(oid: str) -> Mutation:
    return declare(lambda r: replace(r, extensions=tuple(e for e in r.extensions if e.oid != oid)))


def finds_extensions(edit: Callable[[tuple[Extension, ...]], tuple[Extension, ...]], address: str = WEB) -> Mutation:
    def change(world: World) -> None:
        world.edit_certificate(address, extensions=edit(world.certificate(address).extensions))

    return change


def aia(*methods: str, turned: bool = False) -> Extension:
    """One location for each method named, each its own; `turned` from the last to the first."""
    described = [AccessDescription(ACCESS_METHODS[method], f"{URI}/{number}") for number, method in enumerate(methods)]
    return extension("aia", AuthorityInfoAccess(tuple(reversed(described) if turned else described)))


def every_set_is_reversed(extensions: tuple[Extension, ...]) -> tuple[Extension, ...]:
    def turned(one: Extension) -> Extension:
        match one.value:
            case KeyUsage(members):
                return replace(one, value=KeyUsage(members[::-1]))
            case ExtendedKeyUsage(members):
                return replace(one, value=ExtendedKeyUsage(members[::-1]))
            case SubjectAltName(names):
                return replace(one, value=SubjectAltName(names[::-1]))
            case TlsFeature(numbers):
                return replace(one, value=TlsFeature(numbers[::-1]))
            case NameConstraints(permitted, excluded):
                return replace(one, value=NameConstraints(permitted[::-1], excluded[::-1]))
            case _:
                return one

    return tuple(turned(one) for one in reversed(extensions))


def every_set_is_declared(resource: Resource) -> Resource:
    for new in (
        san(OWN_NAME, *NAMES.values()),
        EXTENSIONS["key_usage"][1],
        EXTENSIONS["extended_key_usage"][1],
        EXTENSIONS["tls_feature"][1],
        extension("name_constraints", NameConstraints(dns("a", "b"), dns("c", "d"))),
    ):
        resource = with_extension(resource, new)
    return resource


def toggles_criticality(word: str) -> Mutation:
    def edit(resource: Resource) -> Resource:
        old = next(e for e in resource.extensions if e.oid == EXTENSION_OIDS.get(word, word))
        return with_extension(resource, replace(old, critical=not old.critical))

    return declare(edit)


TWO_ATTRIBUTES = name(("2.5.4.6", "SE"), ("2.5.4.3", "web.example"))
TURNED = DistinguishedName(TWO_ATTRIBUTES.rdns[::-1])
MULTI_VALUED = DistinguishedName(((NameAttribute("2.5.4.3", "web.example"), NameAttribute("2.5.4.10", "Acme")),))
MULTI_VALUED_TURNED = DistinguishedName((MULTI_VALUED.rdns[0][::-1],))

CASES: list[Case] = []


def row(
    sentence: str,
    change: Mutation,
    action: Action,
    *reasons: Reason,
    address: str = WEB,
    also: Mapping[str, Action] | None = None,
    **options: object,
) -> None:
    CASES.append(
        Case(
            sentence=sentence,
            change=change,
            action=action,
            reasons=reasons,
            address=address,
            also=also or {},
            options=options,
        )
    )


KEEP, CREATE, RENEW, MODIFY = Action.KEEP, Action.CREATE, Action.RENEW, Action.MODIFY
REKEY, REENCODE, REMOVE, BLOCKED = Action.REKEY, Action.REENCODE, Action.REMOVE, Action.BLOCKED
R = Reason
LEAVES = (ADOPTED, API, GIVEN, WEB)


def of_leaves(action: Action, *but: str) -> dict[str, Action]:
    return {address: action for address in LEAVES if address not in but}


row("unchanged and fresh is kept", lambda world: None, KEEP)
row("a missing certificate is created", gone(WEB), CREATE, R.MISSING)
row("a missing self-signed certificate is created", gone(LEGACY), CREATE, R.MISSING, address=LEGACY)
row(
    "a missing leaf certificate is created with the key that is there",
    set_certificate(WEB, Missing()),
    CREATE,
    R.MISSING,
)

# Subject
for attribute in ATTRIBUTE_TYPES:
    added = DistinguishedName((*common_name("web.example").rdns, (NameAttribute(attribute.oid, "SE"),)))
    row(f"an added {attribute.name} is a modified subject", declares(subject=added), MODIFY, R.SUBJECT_CHANGED)
    row(
        f"a removed {attribute.name} is a modified subject",
        in_turn(applied(declares(subject=added)), declares(subject=common_name("web.example"))),
        MODIFY,
        R.SUBJECT_CHANGED,
    )
row(
    "an edited common name is a modified subject",
    declares(subject=common_name("www.example")),
    MODIFY,
    R.SUBJECT_CHANGED,
)
row("an emptied subject is a modified subject", declares(subject=DistinguishedName()), MODIFY, R.SUBJECT_CHANGED)
row(
    "an attribute of unknown OID is a modified subject",
    declares(subject=name(("1.2.3", "x"))),
    MODIFY,
    R.SUBJECT_CHANGED,
)
row(
    "attributes of the subject in another order are a modified subject",
    in_turn(applied(declares(subject=TWO_ATTRIBUTES)), declares(subject=TURNED)),
    MODIFY,
    R.SUBJECT_CHANGED,
)
row(
    "attributes of one multi-valued RDN in another order are equal",
    in_turn(applied(declares(subject=MULTI_VALUED)), finds(subject=MULTI_VALUED_TURNED)),
    KEEP,
)

# Names
for what, general_name in NAMES.items():
    wider = san(OWN_NAME, general_name)
    row(f"an added {what} modifies", extends(wider), MODIFY, R.NAMES_CHANGED)
    row(
        f"a removed {what} modifies",
        in_turn(has_extension(wider), declare(lambda r: with_extension(r, san(OWN_NAME)))),
        MODIFY,
        R.NAMES_CHANGED,
    )
row(
    "a removed last name modifies", declare(lambda r: without_extension(r, "subject_alt_name")), MODIFY, R.NAMES_CHANGED
)
row(
    "names that become critical modify",
    toggles_criticality("subject_alt_name"),
    MODIFY,
    R.EXTENSION_CHANGED,
)
row(
    "names, usages and constraints in another order are equal",
    in_turn(applied(declare(every_set_is_declared)), finds_extensions(every_set_is_reversed)),
    KEEP,
)

# Extensions
for word, (old, new) in EXTENSIONS.items():
    row(
        f"another value of {word} modifies",
        in_turn(has_extension(old), extends(new)),
        MODIFY,
        R.EXTENSION_CHANGED,
    )
    row(
        f"another criticality of {word} modifies",
        in_turn(has_extension(old), toggles_criticality(word)),
        MODIFY,
        R.EXTENSION_CHANGED,
    )
for word, (old, _) in NEW_EXTENSIONS.items():
    row(f"an added {word} modifies", extends(old), MODIFY, R.EXTENSION_CHANGED)
    row(
        f"a removed {word} modifies", in_turn(has_extension(old), drops_extension(old.oid)), MODIFY, R.EXTENSION_CHANGED
    )
for word in ("basic_constraints", "key_usage", "extended_key_usage"):
    row(f"a removed {word} modifies", drops_extension(EXTENSION_OIDS[word]), MODIFY, R.EXTENSION_CHANGED)
row(
    "policies in another order modify",
    in_turn(
        has_extension(extension("policies", CertificatePolicies((POLICY, Policy("1.2.3"))))),
        declare(lambda r: with_extension(r, extension("policies", CertificatePolicies((Policy("1.2.3"), POLICY))))),
    ),
    MODIFY,
    R.EXTENSION_CHANGED,
)
row(
    "locations of several access methods in another order are equal",
    in_turn(
        applied(extends(aia("ocsp", "ca_issuers"))),
        finds_extensions(lambda old: (*old[:-1], aia("ocsp", "ca_issuers", turned=True))),
    ),
    KEEP,
)
row(
    "locations of one access method in another order modify",
    in_turn(has_extension(aia("ocsp", "ocsp")), extends(aia("ocsp", "ocsp", turned=True))),
    MODIFY,
    R.EXTENSION_CHANGED,
)
row(
    "an extension that nobody declared modifies",
    finds_extensions(lambda old: (*old, EXTENSIONS["1.2.3.4"][0])),
    MODIFY,
    R.EXTENSION_CHANGED,
)
row(
    "another path length modifies the authority and leaves what it issued alone",
    declare(
        lambda r: with_extension(r, extension("basic_constraints", BasicConstraints(True, 3), critical=True)), ISSUING
    ),
    MODIFY,
    R.EXTENSION_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)
row(
    "a lifted path length modifies",
    declare(
        lambda r: with_extension(r, extension("basic_constraints", BasicConstraints(True), critical=True)), ISSUING
    ),
    MODIFY,
    R.EXTENSION_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)

# Signature, version, key identifiers, serial
row("another signature hash modifies", declares(digest="sha512"), MODIFY, R.SIGNATURE_ALGORITHM_CHANGED)
row(
    "a signature of the key's own algorithm modifies",
    finds(signature_digest=None),
    MODIFY,
    R.SIGNATURE_ALGORITHM_CHANGED,
)
row("RSASSA-PSS beneath an authority that is not RSA changes nothing", declares(rsa_pss=True), KEEP)
row("RSASSA-PSS that nobody declared modifies", finds(signature_is_pss=True), MODIFY, R.SIGNATURE_ALGORITHM_CHANGED)
row(
    "declared RSASSA-PSS modifies what an RSA key signed",
    in_turn(
        applied(declares_key(LEGACY, spec=RsaKeySpec(2048))),
        declares(LEGACY, rsa_pss=True),
    ),
    MODIFY,
    R.SIGNATURE_ALGORITHM_CHANGED,
    address=LEGACY,
)
row("a certificate of version 1 modifies", finds(version=1), MODIFY, R.VERSION_CHANGED)
row(
    "a subject key identifier that is not the key's modifies",
    finds(subject_key_id=b"x"),
    MODIFY,
    R.KEY_IDENTIFIER_CHANGED,
)
row("an absent subject key identifier modifies", finds(subject_key_id=None), MODIFY, R.KEY_IDENTIFIER_CHANGED)
row(
    "an authority key identifier that is not the issuer's modifies",
    finds(authority_key_id=b"x"),
    MODIFY,
    R.KEY_IDENTIFIER_CHANGED,
)
row("an absent authority key identifier modifies", finds(authority_key_id=None), MODIFY, R.KEY_IDENTIFIER_CHANGED)
row(
    "an authority key identifier with issuer and serial modifies",
    finds(has_foreign_aki=True),
    MODIFY,
    R.KEY_IDENTIFIER_CHANGED,
)
row(
    "an absent authority key identifier of a self-signed certificate is kept",
    finds(LEGACY, authority_key_id=None),
    KEEP,
    address=LEGACY,
)
row(
    "a foreign authority key identifier of a self-signed certificate modifies",
    finds(LEGACY, authority_key_id=b"x"),
    MODIFY,
    R.KEY_IDENTIFIER_CHANGED,
    address=LEGACY,
)
row(
    "a serial that another certificate of the issuer has modifies the later one", serial_of_api, MODIFY, R.SERIAL_REUSED
)

row(
    "another leaf's certificate in place of a leaf's re-keys that one and leaves the other alone",
    lambda world: world.set_certificate(API, Found(world.certificate(WEB))),
    REKEY,
    R.KEY_MISMATCH,
    R.SUBJECT_CHANGED,
    R.NAMES_CHANGED,
    address=API,
)

# Issuer
row("another issuer modifies, and the key stays", declares(issuer=OTHER), MODIFY, R.ISSUER_CHANGED)
row("a self-signed certificate in place of an issued one modifies", self_signed_in_place, MODIFY, R.ISSUER_CHANGED)
row(
    "an issued certificate in place of a self-signed one modifies",
    finds(LEGACY, issuer_der=b"stranger"),
    MODIFY,
    R.ISSUER_CHANGED,
    address=LEGACY,
)
row(
    "a self-signed certificate that another key signed modifies",
    lambda world: world.disk.signers.__setitem__(world.certificate(LEGACY).fingerprint_sha256, "x"),
    MODIFY,
    R.SIGNATURE_INVALID,
    address=LEGACY,
)
row("a signature of another key modifies", signed_by_another_key, MODIFY, R.SIGNATURE_INVALID)
row(
    "an issuer of the same name with another key modifies what it had issued",
    issuing_has_another_key_and_the_same_name,
    MODIFY,
    R.SIGNATURE_INVALID,
    also=of_leaves(MODIFY, WEB),
)
row("an issuer's name in another encoding modifies", finds(issuer_der=b"Acme"), MODIFY, R.ISSUER_CHANGED)
row(
    "a renamed authority modifies what it had issued",
    declares(ISSUING, subject=common_name("Acme two")),
    MODIFY,
    R.ISSUER_CHANGED,
    also={ISSUING: MODIFY, **of_leaves(MODIFY, WEB)},
)
row(
    "an authority renewed with its key leaves what it issued alone but for the chain",
    lambda world: None,
    REENCODE,
    R.FILE_LAGS,
    R.FILE_LAGS,
    also={ISSUING: RENEW, **of_leaves(REENCODE, WEB)},
    replace=(ISSUING,),
)
row(
    "a root renewed with its key leaves everything beneath it alone",
    lambda world: None,
    RENEW,
    R.REQUESTED,
    address=ROOT,
    replace=(ROOT,),
)
row(
    "a re-keyed root modifies the authorities beneath it, whose keys and leaves stay",
    declares_key(ROOT, spec=RsaKeySpec(4096)),
    MODIFY,
    R.ISSUER_REKEYED,
    address=ISSUING,
    also={ROOT: REKEY, OTHER: MODIFY, **of_leaves(REENCODE)},
    allow=(ROOT,),
)
row(
    "a re-keyed authority modifies everything it issued",
    declares_key(ISSUING, spec=RsaKeySpec(3072)),
    MODIFY,
    R.ISSUER_REKEYED,
    also={ISSUING: REKEY, **of_leaves(MODIFY, WEB)},
    allow=(ISSUING,),
)
row(
    "a foreign but valid certificate beside a leaf's key re-keys",
    swaps_certificate(WEB),
    REKEY,
    R.KEY_MISMATCH,
    R.ISSUER_CHANGED,
)
row(
    "a foreign certificate beside an authority's key modifies it with that key",
    swaps_certificate(ISSUING),
    MODIFY,
    R.KEY_MISMATCH,
    R.ISSUER_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)

# Key
for what, spec in {
    "RSA": RsaKeySpec(2048),
    "Ed25519": EdKeySpec("ed25519"),
    "ML-DSA": MlDsaKeySpec(65),
    "ECDSA on another curve": EcKeySpec(Curve.P521),
}.items():
    row(f"a key declared as {what} re-keys", declares_key(spec=spec), REKEY, R.KEY_TYPE_CHANGED)
row(
    "another key size re-keys",
    in_turn(applied(declares_key(spec=RsaKeySpec(2048))), declares_key(spec=RsaKeySpec(3072))),
    REKEY,
    R.KEY_TYPE_CHANGED,
)
row(
    "a key that no manifest can declare re-keys",
    in_turn(finds_key(spec=OtherKey("dsa 1024")), finds(key_spec=OtherKey("dsa 1024"))),
    REKEY,
    R.KEY_TYPE_CHANGED,
)
row("a deleted leaf key re-keys", set_key(WEB, Missing()), REKEY, R.KEY_MISSING)
row("a leaf key that is not its certificate's re-keys", finds_key(spki_sha256=digest("swapped")), REKEY, R.KEY_MISMATCH)
row(
    "a leftover key of another type without certificate re-keys",
    in_turn(set_certificate(WEB, Missing()), finds_key(spec=RsaKeySpec(2048))),
    REKEY,
    R.KEY_TYPE_CHANGED,
    R.MISSING,
)
row(
    "a deleted leaf key beside a damaged certificate re-keys",
    in_turn(set_key(WEB, Missing()), set_certificate(WEB, Unreadable("garbage", is_damaged=True))),
    REKEY,
    R.KEY_MISSING,
    R.DAMAGED,
)
for what, state in {
    "an empty": Unreadable("is empty", is_damaged=True),
    "a truncated": Unreadable("is cut short", is_damaged=True),
    "a garbage": Unreadable("is not PEM", is_damaged=True),
}.items():
    row(f"{what} leaf key file is blocked", set_key(WEB, state), BLOCKED, R.DAMAGED)
    row(f"{what} certificate file is mended with the key that is there", set_certificate(WEB, state), MODIFY, R.DAMAGED)
    row(f"{what} chain file is written again", set_file(WEB, CHAIN_FILE, state), REENCODE, R.DAMAGED)
    row(f"{what} output is written again", set_file(API, "web.p12", state), REENCODE, R.DAMAGED, address=API)
DIRECTORY = Unreadable("is a directory", is_directory=True)
row("a directory in place of a leaf key is blocked", set_key(WEB, DIRECTORY), BLOCKED, R.UNREADABLE)
row(
    "a leaf behind a link is blocked though a new key is asked for",
    set_key(WEB, Unreadable("`web` on the way is a symbolic link", is_behind_link=True)),
    BLOCKED,
    R.UNREADABLE,
    replace=(WEB,),
    rekey=True,
)
row("a directory in place of a certificate is blocked", set_certificate(WEB, DIRECTORY), BLOCKED, R.UNREADABLE)
row("a directory in place of a chain is blocked", set_file(WEB, CHAIN_FILE, DIRECTORY), BLOCKED, R.UNREADABLE)
row(
    "a directory in place of an output is blocked",
    set_file(API, "web.p12", DIRECTORY),
    BLOCKED,
    R.UNREADABLE,
    address=API,
)
row(
    "a directory in place of a chain is blocked though the certificate is due",
    after(70, set_file(WEB, CHAIN_FILE, DIRECTORY)),
    BLOCKED,
    R.UNREADABLE,
    also=of_leaves(RENEW, WEB),
)
row(
    "a directory in place of a leaf key is blocked though a new key is asked for",
    set_key(WEB, DIRECTORY),
    BLOCKED,
    R.UNREADABLE,
    replace=(WEB,),
    rekey=True,
)
row(
    "a directory in place of an authority's cnf is blocked, and what it issued goes on",
    in_turn(set_file(ISSUING, CNF_FILE, DIRECTORY), declares(validity=days(60))),
    MODIFY,
    R.LIFETIME_CHANGED,
    also={ISSUING: BLOCKED},
)
for what, state in {
    "a dangling link": Unreadable("is a link that leads nowhere"),
    "an unreadable file": Unreadable("permission denied"),
}.items():
    row(f"{what} in place of a leaf key is blocked", set_key(WEB, state), BLOCKED, R.UNREADABLE)
    row(f"{what} in place of a certificate is blocked", set_certificate(WEB, state), BLOCKED, R.UNREADABLE)
    row(f"{what} in place of a chain is written again", set_file(WEB, CHAIN_FILE, state), REENCODE, R.UNREADABLE)
row(
    "a leaf key of a kind that cannot sign is blocked",
    set_key(WEB, Unreadable("it is a key of x25519", is_of_another_kind=True)),
    BLOCKED,
    R.KEY_TYPE_CHANGED,
)
row(
    "a damaged leaf key is re-keyed when that is asked for",
    set_key(WEB, Unreadable("is not PEM", is_damaged=True)),
    REKEY,
    R.REQUESTED,
    replace=(WEB,),
    rekey=True,
)
row(
    "a damaged leaf key stays blocked when only a renewal is asked for",
    set_key(WEB, Unreadable("is not PEM", is_damaged=True)),
    BLOCKED,
    R.DAMAGED,
    replace=(WEB,),
)

# How the key is stored
row(
    "a declared passphrase re-encodes the key", declares_key(passphrases=PASSPHRASE), REENCODE, R.KEY_ENCRYPTION_CHANGED
)
row(
    "a passphrase that only opens re-encodes the key as plain",
    in_turn(finds_key(encryption=KeyEncryption()), declares_key(passphrases=PASSPHRASE, plain_is_intended=True)),
    REENCODE,
    R.KEY_ENCRYPTION_CHANGED,
)
row(
    "a passphrase that only opens changes nothing about a plain key",
    declares_key(passphrases=PASSPHRASE, plain_is_intended=True),
    KEEP,
)
row(
    "a passphrase that was dropped so that nothing opens the key is blocked",
    finds_key(encryption=KeyEncryption()),
    BLOCKED,
    R.KEY_ENCRYPTION_CHANGED,
)
row(
    "an encrypted key that nothing opens is re-keyed when that is asked for",
    finds_key(encryption=KeyEncryption()),
    REKEY,
    R.REQUESTED,
    replace=(WEB,),
    rekey=True,
)
row(
    "what needs the signature of an authority whose key nothing opens is blocked",
    in_turn(finds_key(ISSUING, encryption=KeyEncryption()), declares(validity=days(60))),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.LIFETIME_CHANGED,
    also={ISSUING: BLOCKED},
)
for what, encryption in {
    "a weaker KDF": KeyEncryption(rounds=2048),
    "a stronger KDF": KeyEncryption(rounds=1_000_000),
    "another KDF": KeyEncryption(kdf="scrypt"),
    "another cipher": KeyEncryption(cipher="aes-128-cbc"),
}.items():
    row(f"{what} re-encodes the key", key_is_encrypted(WEB, encryption), REENCODE, R.KEY_ENCRYPTION_CHANGED)
row(
    "a key under an older one of its passphrases is re-encoded",
    in_turn(key_is_encrypted(WEB, KeyEncryption()), key_is_under(OLDER)),
    REENCODE,
    R.PASSPHRASE_CHANGED,
)
row(
    "a key under the first of its passphrases is kept",
    in_turn(key_is_encrypted(WEB, KeyEncryption()), key_is_under(PASSPHRASE[0])),
    KEEP,
)
row("an encrypted key as declared is kept", key_is_encrypted(WEB, KeyEncryption()), KEEP)
row("an encrypted key that nobody opened is kept", key_is_encrypted(WEB, KeyEncryption(), is_known=False), KEEP)
row(
    "an encrypted key that nobody opened is re-keyed when its certificate shows another type",
    in_turn(key_is_encrypted(WEB, KeyEncryption(), is_known=False), declares_key(spec=RsaKeySpec(2048))),
    REKEY,
    R.KEY_TYPE_CHANGED,
)
row(
    "an encrypted authority key that nobody opened leaves everything beneath it alone",
    key_is_encrypted(ISSUING, KeyEncryption(), is_known=False),
    KEEP,
    address=ISSUING,
)
row(
    "a missing certificate beside an encrypted authority key that nobody opened is modified with that key",
    in_turn(key_is_encrypted(ISSUING, KeyEncryption(), is_known=False), set_certificate(ISSUING, Missing())),
    MODIFY,
    R.MISSING,
    address=ISSUING,
    also=of_leaves(REENCODE),
)
row("a key in PKCS#1 form is re-encoded as PKCS#8", finds_key(form=KeyForm.PKCS1), REENCODE, R.KEY_FORM_CHANGED)
row("a key in SEC 1 form is re-encoded as PKCS#8", finds_key(form=KeyForm.SEC1), REENCODE, R.KEY_FORM_CHANGED)
row("a declared PKCS#1 form re-encodes the key", declares_key(form=KeyForm.PKCS1), REENCODE, R.KEY_FORM_CHANGED)
row(
    "a declared form counts for nothing while the key is encrypted",
    in_turn(declares_key(form=KeyForm.PKCS1), key_is_encrypted(WEB, KeyEncryption())),
    KEEP,
)
row("another mode of the key re-encodes", key_has(WEB, mode=0o640), REENCODE, R.ATTRIBUTES_CHANGED)
row(
    "another owner of the key re-encodes",
    declares_key(attributes=FileAttributes(mode=0o600, owner="www")),
    REENCODE,
    R.ATTRIBUTES_CHANGED,
)
row(
    "a modified certificate with a key in another form gets both in one change",
    in_turn(finds_key(form=KeyForm.PKCS1), declares(validity=days(60))),
    MODIFY,
    R.KEY_FORM_CHANGED,
    R.LIFETIME_CHANGED,
)

# Keys of authorities
row(
    "an authority's key absent beside its certificate is offline",
    set_key(ROOT, Missing()),
    BLOCKED,
    R.KEY_OFFLINE,
    address=ROOT,
)
row(
    "what needs the signature of an offline authority is blocked",
    in_turn(set_key(ISSUING, Missing()), declares(validity=days(60))),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.LIFETIME_CHANGED,
    also={ISSUING: BLOCKED},
)
row(
    "what needs no signature of an offline authority is mended",
    in_turn(set_key(ISSUING, Missing()), set_file(WEB, CHAIN_FILE, Missing())),
    REENCODE,
    R.FILE_MISSING,
    also={ISSUING: BLOCKED},
)
row(
    "files of an offline authority are mended without its key",
    in_turn(set_key(ROOT, Missing()), set_file(ROOT, CNF_FILE, Missing())),
    REENCODE,
    R.FILE_MISSING,
    R.KEY_OFFLINE,
    address=ROOT,
)
row(
    "an offline authority that is mended still signs nothing",
    in_turn(set_key(ISSUING, Missing()), set_file(ISSUING, CNF_FILE, Missing()), declares(validity=days(60))),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.LIFETIME_CHANGED,
    also={ISSUING: REENCODE},
)
row(
    "a renewal of an offline authority is blocked",
    in_turn(set_key(ROOT, Missing()), lambda world: setattr(world, "now", NOW + timedelta(days=3000))),
    BLOCKED,
    R.KEY_OFFLINE,
    R.RENEWAL_DUE,
    address=ROOT,
    also={ISSUING: BLOCKED, OTHER: BLOCKED, LEGACY: RENEW, **of_leaves(BLOCKED)},
)
row(
    "leaves are renewed while their issuer's own renewal waits for an offline root",
    in_turn(set_key(ROOT, Missing()), lambda world: setattr(world, "now", NOW + timedelta(days=800))),
    RENEW,
    R.EXPIRED,
    also={ROOT: BLOCKED, ISSUING: BLOCKED, OTHER: BLOCKED, LEGACY: RENEW, **of_leaves(RENEW, WEB)},
)
row(
    "a damaged authority key is blocked, and so is what needs its signature",
    in_turn(set_key(ISSUING, Unreadable("garbage", is_damaged=True)), declares(validity=days(60))),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.LIFETIME_CHANGED,
    also={ISSUING: BLOCKED},
)
row(
    "a damaged authority key leaves what it issued alone",
    set_key(ISSUING, Unreadable("garbage", is_damaged=True)),
    BLOCKED,
    R.DAMAGED,
    address=ISSUING,
)
row(
    "a missing certificate beside an authority's key is modified with that key",
    set_certificate(ISSUING, Missing()),
    MODIFY,
    R.MISSING,
    address=ISSUING,
    also=of_leaves(REENCODE),
)
row(
    "a damaged certificate beside an authority's key is mended with that key",
    set_certificate(ROOT, Unreadable("garbage", is_damaged=True)),
    MODIFY,
    R.DAMAGED,
    address=ROOT,
)
row(
    "a damaged certificate of an offline authority is blocked",
    in_turn(set_key(ROOT, Missing()), set_certificate(ROOT, Unreadable("garbage", is_damaged=True))),
    BLOCKED,
    R.DAMAGED,
    address=ROOT,
)
row(
    "an authority wholly gone whose certificates exist is re-keyed",
    gone(ISSUING),
    REKEY,
    R.KEY_MISSING,
    R.MISSING,
    address=ISSUING,
    also=of_leaves(MODIFY),
    allow=(ISSUING,),
)
row(
    "an authority wholly gone is re-keyed also where what it issued cannot be read any more",
    in_turn(gone(ROOT), *(set_certificate(below, Unreadable("cut", is_damaged=True)) for below in (ISSUING, OTHER))),
    REKEY,
    R.KEY_MISSING,
    R.MISSING,
    address=ROOT,
    also={ISSUING: MODIFY, OTHER: MODIFY, **of_leaves(REENCODE)},
    allow=(ROOT,),
)
row(
    "a root that is gone together with what it issued is re-keyed where a chain shows that it was there",
    in_turn(gone(ROOT), gone(ISSUING), gone(OTHER)),
    REKEY,
    R.KEY_MISSING,
    R.MISSING,
    address=ROOT,
    also={ISSUING: REKEY, OTHER: CREATE, **of_leaves(MODIFY)},
    allow=(ROOT, ISSUING),
)
row(
    "an authority is found lost by the chain of what another lost one issued, though only in its fullchain",
    in_turn(
        has_sub_authority,
        *map(gone, (ROOT, ISSUING, OTHER, SUB, ADOPTED, API, GIVEN, WEB)),
        set_file(DEEP, "chain.pem", Missing()),
    ),
    REKEY,
    R.KEY_MISSING,
    R.MISSING,
    address=ROOT,
    also={
        ISSUING: REKEY,
        SUB: REKEY,
        OTHER: CREATE,
        DEEP: MODIFY,
        ADOPTED: BLOCKED,
        GIVEN: BLOCKED,
        API: CREATE,
        WEB: CREATE,
    },
    allow=(ROOT, ISSUING, SUB),
)
row(
    "an authority wholly gone is known by its subject in whatever order an RDN of several attributes is read",
    in_turn(
        applied(declares(ISSUING, subject=MULTI_VALUED)),
        *(finds(leaf, issuer=MULTI_VALUED_TURNED) for leaf in LEAVES),
        gone(ISSUING),
    ),
    REKEY,
    R.KEY_MISSING,
    R.MISSING,
    address=ISSUING,
    also=of_leaves(MODIFY),
    allow=(ISSUING,),
)
row(
    "a leaf moved beneath a new root and a new authority is no witness that they were there",
    is_moved_beneath_new_ones,
    MODIFY,
    R.ISSUER_CHANGED,
    also={NEW_ROOT: CREATE, NEW_ISSUING: CREATE},
)
row(
    "an authority wholly gone of which nothing exists is created",
    in_turn(gone(OTHER)),
    CREATE,
    R.MISSING,
    address=OTHER,
)
row(
    "an offline authority is re-keyed when that is asked for",
    set_key(ISSUING, Missing()),
    REKEY,
    R.REQUESTED,
    address=ISSUING,
    also=of_leaves(MODIFY),
    replace=(ISSUING,),
    rekey=True,
    allow=(ISSUING,),
)
row(
    "a missing certificate beneath an authority that has none either waits for it",
    in_turn(gone(WEB), set_key(ROOT, Missing()), set_certificate(ISSUING, Missing())),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.MISSING,
    also={ROOT: BLOCKED, ISSUING: BLOCKED},
)
row(
    "a chain that waits for an authority's blocked certificate is blocked",
    in_turn(set_key(ROOT, Missing()), set_certificate(ISSUING, Missing()), set_file(WEB, CHAIN_FILE, Missing())),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.FILE_MISSING,
    also={ROOT: BLOCKED, ISSUING: BLOCKED},
)

row(
    "a leaf whose chain waits for a blocked certificate further up is blocked when it is due",
    in_turn(
        lambda world: setattr(world, "site", with_sub_authority(world.site)),
        applied(lambda world: None),
        set_key(ROOT, Missing()),
        set_certificate(ISSUING, Missing()),
        declares(DEEP, validity=days(60)),
    ),
    BLOCKED,
    R.ISSUER_BLOCKED,
    R.LIFETIME_CHANGED,
    address=DEEP,
    also={ROOT: BLOCKED, ISSUING: BLOCKED},
)

# Given keys and adopted certificates
row("a missing request is blocked", set_key(GIVEN, Missing()), BLOCKED, R.KEY_MISSING, address=GIVEN)
row(
    "a missing public key is blocked",
    in_turn(set_key(GIVEN, Missing()), declares(GIVEN, key=ExternalKey(path="/site/pub.pem", is_request=False))),
    BLOCKED,
    R.KEY_MISSING,
    address=GIVEN,
)
row("a damaged request is blocked", set_key(GIVEN, Unreadable("x", is_damaged=True)), BLOCKED, R.DAMAGED, address=GIVEN)
row(
    "a request with another key modifies",
    finds_key(GIVEN, spki_sha256=digest("new")),
    MODIFY,
    R.KEY_MISMATCH,
    address=GIVEN,
)
row(
    "a request with a key other than declared is blocked",
    declares(GIVEN, key=ExternalKey(path="/site/request.pem", is_request=True, spec=RsaKeySpec(2048))),
    BLOCKED,
    R.KEY_TYPE_CHANGED,
    address=GIVEN,
)
row(
    "a certificate for a request is renewed without a new key",
    after(70),
    RENEW,
    R.RENEWAL_DUE,
    address=GIVEN,
    also=of_leaves(RENEW, GIVEN),
)
row("a missing adopted key is blocked", set_key(ADOPTED, Missing()), BLOCKED, R.KEY_MISSING, address=ADOPTED)
row(
    "an adopted key of another type is blocked",
    declares_key(ADOPTED, spec=RsaKeySpec(2048)),
    BLOCKED,
    R.KEY_TYPE_CHANGED,
    address=ADOPTED,
)
row(
    "an adopted key that anybody can use is blocked",
    finds_key(ADOPTED, weakness="its primes are close together"),
    BLOCKED,
    R.KEY_UNSOUND,
    address=ADOPTED,
)
row(
    "a leaf key that anybody can use is blocked",
    finds_key(weakness="its primes are close together"),
    BLOCKED,
    R.KEY_UNSOUND,
)
row(
    "a key that anybody can use is re-keyed when that is asked for",
    finds_key(weakness="its primes are close together"),
    REKEY,
    R.REQUESTED,
    replace=("web",),
    rekey=True,
)
row(
    "a leaf that a key bound to RSASSA-PSS would sign without it is blocked",
    after(70, finds_key(ISSUING, pss_bond=PssBond())),
    BLOCKED,
    R.KEY_BOUND_TO_PSS,
    R.RENEWAL_DUE,
    also=of_leaves(BLOCKED, WEB) | {LEGACY: KEEP},
)
row(
    "the certificate of an encrypted key tells that it is bound to RSASSA-PSS",
    after(70, finds_key(ISSUING, spki_sha256=None, spec=None), finds(ISSUING, key_pss_bond=PssBond())),
    BLOCKED,
    R.KEY_BOUND_TO_PSS,
    R.RENEWAL_DUE,
    also=of_leaves(BLOCKED, WEB) | {LEGACY: KEEP},
)
row(
    "a leaf that a key bound to RSASSA-PSS over one hash would sign over another is blocked",
    in_turn(finds_key(ISSUING, pss_bond=PssBond("sha512")), declares(rsa_pss=True, validity=days(60))),
    BLOCKED,
    R.KEY_BOUND_TO_PSS,
    R.LIFETIME_CHANGED,
)
row(
    "a leaf that a key bound to parameters of RSASSA-PSS that are not ours would sign is blocked",
    in_turn(finds_key(ISSUING, pss_bond=PssBond("sha256", is_usual=False)), declares(rsa_pss=True, validity=days(60))),
    BLOCKED,
    R.KEY_BOUND_TO_PSS,
    R.LIFETIME_CHANGED,
)
row(
    "what signs itself with a key bound to RSASSA-PSS but without it is blocked",
    in_turn(finds_key(ROOT, pss_bond=PssBond()), declares(ROOT, validity=days(3000))),
    BLOCKED,
    R.KEY_BOUND_TO_PSS,
    R.LIFETIME_CHANGED,
    address=ROOT,
)
row(
    "a bound key that is replaced stands in nobody's way",
    finds_key(LEGACY, pss_bond=PssBond()),
    REKEY,
    R.REQUESTED,
    address=LEGACY,
    replace=("legacy",),
    rekey=True,
)
row("an adopted key in another form or mode is kept", finds_key(ADOPTED, form=KeyForm.SEC1), KEEP, address=ADOPTED)
row(
    "an adopted key that is not its certificate's modifies with that key",
    finds_key(ADOPTED, spki_sha256=digest("other")),
    MODIFY,
    R.KEY_MISMATCH,
    address=ADOPTED,
)
row(
    "a missing adopted certificate is blocked", set_certificate(ADOPTED, Missing()), BLOCKED, R.MISSING, address=ADOPTED
)
row(
    "a damaged adopted certificate is blocked",
    set_certificate(ADOPTED, Unreadable("x", is_damaged=True)),
    BLOCKED,
    R.DAMAGED,
    address=ADOPTED,
)
row(
    "an adopted certificate may live an hour more or less",
    lambda w: w.edit_certificate(ADOPTED, not_after=w.certificate(ADOPTED).not_after - timedelta(hours=1)),
    KEEP,
    address=ADOPTED,
)
row(
    "an adopted certificate that lives more than an hour less modifies",
    lambda w: w.edit_certificate(ADOPTED, not_after=w.certificate(ADOPTED).not_after - timedelta(seconds=3601)),
    MODIFY,
    R.LIFETIME_CHANGED,
    address=ADOPTED,
)
row(
    "an adopted certificate keeps its own key identifiers, mode and bundle",
    in_turn(
        finds(ADOPTED, subject_key_id=b"own", authority_key_id=None, certificates_in_file=2),
        certificate_has(ADOPTED, mode=0o444),
    ),
    KEEP,
    address=ADOPTED,
)
row(
    "an adopted certificate with the key identifier of another issuer modifies",
    finds(ADOPTED, authority_key_id=b"x"),
    MODIFY,
    R.KEY_IDENTIFIER_CHANGED,
    address=ADOPTED,
)
row(
    "an adopted certificate may name its issuer's serial",
    finds(ADOPTED, has_foreign_aki=True),
    KEEP,
    address=ADOPTED,
)

# Dates
row("kept a second before its renewal window", just_before_its_window, KEEP)
row("renewed on the first second of its window", at_its_window, RENEW, R.RENEWAL_DUE, also=of_leaves(RENEW, WEB))
row("due on its last second", at_its_last_second, RENEW, R.RENEWAL_DUE, also=of_leaves(RENEW, WEB))
row("expired a second later", a_second_after_its_end, RENEW, R.EXPIRED, also=of_leaves(RENEW, WEB))
row(
    "an expired self-signed certificate is renewed",
    finds(LEGACY, not_before=NOW - timedelta(days=366, seconds=-1), not_after=NOW - timedelta(days=1)),
    RENEW,
    R.EXPIRED,
    address=LEGACY,
)
row("a longer lifetime modifies", declares(validity=days(120)), MODIFY, R.LIFETIME_CHANGED)
row("a shorter lifetime modifies", declares(validity=days(60)), MODIFY, R.LIFETIME_CHANGED)
row(
    "a lifetime one second longer modifies",
    lambda w: w.edit_certificate(WEB, not_after=w.certificate(WEB).not_after + timedelta(seconds=1)),
    MODIFY,
    R.LIFETIME_CHANGED,
)
row("an edited renew_before alone changes nothing", declares(renew_before=timedelta(days=10)), KEEP)
row("an edited renew_before as a share changes nothing", declares(renew_before=Fraction(1, 10)), KEEP)
row(
    "an edited renew_before that includes now renews",
    in_turn(after(40), declares(renew_before=timedelta(days=60))),
    RENEW,
    R.RENEWAL_DUE,
)
row("an edited backdate alone changes nothing", declares(validity=replace(days(90), backdate=timedelta(hours=1))), KEEP)
row(
    "a renew_before as long as the life is blocked",
    declares(renew_before=timedelta(days=90)),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.RENEWAL_DUE,
)
row(
    "a lifetime no longer than its backdate is blocked",
    declares(validity=Validity(lifetime=timedelta(minutes=5))),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.LIFETIME_CHANGED,
)
row(
    "a certificate that begins in the future modifies",
    lambda w: w.edit_certificate(
        WEB, not_before=NOW + timedelta(days=1), not_after=NOW + timedelta(days=91) - timedelta(seconds=1)
    ),
    MODIFY,
    R.NOT_YET_VALID,
)
row(
    "a certificate that begins in the future as declared is kept",
    applied(declares(validity=replace(days(90), not_before=NOW + timedelta(days=5)))),
    KEEP,
)
row(
    "a declared start that differs modifies",
    declares(validity=replace(days(90), not_before=NOW - timedelta(days=5))),
    MODIFY,
    R.LIFETIME_CHANGED,
)
row(
    "a declared end that differs modifies",
    declares(validity=Validity(not_after=NOW + timedelta(days=40))),
    MODIFY,
    R.LIFETIME_CHANGED,
)
row("a declared end that holds is kept", applied(declares(validity=Validity(not_after=NOW + timedelta(days=40)))), KEEP)
row(
    "a declared end inside its own renewal window is blocked",
    in_turn(applied(declares(validity=Validity(not_after=NOW + timedelta(days=40)))), after(35)),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.RENEWAL_DUE,
)
row(
    "a declared end in the past is blocked",
    declares(validity=Validity(not_after=NOW - timedelta(days=1))),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.LIFETIME_CHANGED,
)

# The issuer's end
LONG = days(2000)
row("a leaf that would outlive its issuer is clamped and then kept", applied(declares(validity=LONG)), KEEP)
row(
    "a clamped leaf of which still more is asked is kept",
    in_turn(applied(declares(validity=LONG)), declares(validity=days(2500))),
    KEEP,
)
row(
    "a clamped leaf of which less is asked modifies",
    in_turn(applied(declares(validity=LONG)), declares(validity=days(60))),
    MODIFY,
    R.LIFETIME_CHANGED,
)
row(
    "a clamped leaf is kept when its issuer is renewed with a later end",
    in_turn(applied(declares(validity=LONG)), after(10)),
    REENCODE,
    R.FILE_LAGS,
    R.FILE_LAGS,
    also={ISSUING: RENEW, **of_leaves(REENCODE, WEB)},
    replace=(ISSUING,),
)


def clamped_and_issuer_renewed(world: World) -> None:
    applied(declares(validity=LONG))(world)
    world.pass_days(10)
    world.apply(replace=(ISSUING,))


row(
    "a leaf clamped to an earlier certificate of its issuer is kept until its own window",
    clamped_and_issuer_renewed,
    KEEP,
)
row(
    "a declared end beyond the issuer's is clamped and then kept",
    applied(declares(validity=Validity(not_after=NOW + timedelta(days=3000)))),
    KEEP,
)
row("a leaf until its issuer's end is kept", applied(declares(validity=Validity())), KEEP)
row("a leaf that shall last until its issuer's end modifies", declares(validity=Validity()), MODIFY, R.LIFETIME_CHANGED)
row(
    "a self-signed certificate cannot last until its issuer's end",
    declares(LEGACY, validity=Validity()),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.LIFETIME_CHANGED,
    address=LEGACY,
)
row(
    "an authority shortened below its leaves modifies those that would outlive it",
    declares(ISSUING, validity=days(80)),
    MODIFY,
    R.OUTLIVES_ISSUER,
    also={ISSUING: MODIFY, **of_leaves(MODIFY, WEB)},
)
row(
    "a clamped leaf with less left than its renewal window is blocked",
    declares(ISSUING, validity=Validity(not_after=NOW + timedelta(days=29)), renew_before=timedelta(days=5)),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.OUTLIVES_ISSUER,
    also={ISSUING: MODIFY, **of_leaves(BLOCKED, WEB)},
)

# Derived files and outputs
for path in (CHAIN_FILE, FULLCHAIN_FILE):
    row(f"a missing {path} is written", set_file(WEB, path, Missing()), REENCODE, R.FILE_MISSING)
    row(f"a {path} that lags is written", holds(WEB, path, certificates=(digest("old"),)), REENCODE, R.FILE_LAGS)
    row(f"another mode of {path} re-encodes", has_attributes(WEB, path, mode=0o600), REENCODE, R.ATTRIBUTES_CHANGED)
row("a fullchain.pem in the wrong order is written", holds_reversed(WEB, FULLCHAIN_FILE), REENCODE, R.FILE_LAGS)
row("a missing cnf is written", set_file(WEB, CNF_FILE, Missing()), REENCODE, R.FILE_MISSING)
row("a cnf edited by hand is written again", has_attributes(WEB, CNF_FILE, sha256="edited"), REENCODE, R.FILE_CHANGED)
row(
    "a cnf of an authority edited by hand is written again",
    has_attributes(ROOT, CNF_FILE, sha256="edited"),
    REENCODE,
    R.FILE_CHANGED,
    address=ROOT,
)
row("two certificates in one file are re-encoded", finds(certificates_in_file=2), REENCODE, R.FILE_CHANGED)
row("another mode of the certificate re-encodes", certificate_has(WEB, mode=0o600), REENCODE, R.ATTRIBUTES_CHANGED)
row(
    "another owner or group of the certificate re-encodes",
    declares(attributes=FileAttributes(mode=0o644, owner="www", group="www")),
    REENCODE,
    *[R.ATTRIBUTES_CHANGED] * 4,
)
row(
    "an owner given by number that holds is kept",
    declares(attributes=FileAttributes(mode=0o644, owner="0", group="0")),
    KEEP,
)
for output in OUTPUTS:
    path = output.path
    row(f"a missing output {path} is written", set_file(API, path, Missing()), REENCODE, R.FILE_MISSING, address=API)
    row(
        f"another mode of {path} re-encodes",
        has_attributes(API, path, mode=0o666),
        REENCODE,
        R.ATTRIBUTES_CHANGED,
        address=API,
    )
    row(
        f"an output {path} with an old certificate is written",
        holds(API, path, certificates=("x",)),
        REENCODE,
        R.FILE_LAGS,
        address=API,
    )
row(
    "an output with another key is written",
    holds(API, "haproxy.pem", key_spki_sha256="x"),
    REENCODE,
    R.FILE_LAGS,
    address=API,
)
row("an output whose key is encrypted is kept", holds(API, "haproxy.pem", key_spki_sha256=None), KEEP, address=API)
row(
    "an output with other options is written",
    holds(API, "web.p12", options=(("compatibility", "legacy"),)),
    REENCODE,
    R.FILE_CHANGED,
    address=API,
)
row(
    "an output with the options that are the default is kept",
    holds(API, "web.p12", options=(("compatibility", "modern"),)),
    KEEP,
    address=API,
)
row("a new output is written", declares(outputs=OUTPUTS[2:3]), REENCODE, R.FILE_MISSING)
row(
    "an output that shall hold no chain any more is written",
    declare(lambda r: replace(r, outputs=(replace(OUTPUTS[0], options=(("chain", False),)), *OUTPUTS[1:])), API),
    REENCODE,
    R.FILE_LAGS,
    address=API,
)
row(
    "an output under another passphrase than the declared one is written",
    holds(API, "web.p12", opened_by=str(OLDER)),
    REENCODE,
    R.FILE_CHANGED,
    address=API,
)
UNOPENED = OutputContents(not_checked="what is inside shows only with its passphrase")


def holds_unopened(world: World) -> None:
    world.set_file(API, "web.p12", Found(replace(world.file(API, "web.p12"), contents=UNOPENED)))


row("an output that nobody opened is kept", holds_unopened, KEEP, address=API)
row(
    "an output that nobody opened is written when its chain is new",
    holds_unopened,
    REENCODE,
    *[R.FILE_LAGS] * 5,
    address=API,
    also={ISSUING: RENEW, **of_leaves(REENCODE, API)},
    replace=(ISSUING,),
)
row(
    "every lag of a certificate is mended in one change",
    in_turn(set_file(WEB, CHAIN_FILE, Missing()), certificate_has(WEB, mode=0o600), key_has(WEB, mode=0o640)),
    REENCODE,
    R.ATTRIBUTES_CHANGED,
    R.ATTRIBUTES_CHANGED,
    R.FILE_MISSING,
)

# What is asked for
row("a replaced leaf is renewed with a new key", lambda world: None, RENEW, R.REQUESTED, replace=("web",))
row("a replaced and re-keyed leaf is re-keyed", lambda world: None, REKEY, R.REQUESTED, replace=("web",), rekey=True)
row("a replaced leaf that is missing is created", gone(WEB), CREATE, R.MISSING, replace=("web",))
row(
    "a replaced and re-keyed leaf that is missing is created",
    gone(WEB),
    CREATE,
    R.MISSING,
    replace=("web",),
    rekey=True,
)
row(
    "a due and modified leaf is modified, and its key stays",
    in_turn(after(70), declares(subject=common_name("x"))),
    MODIFY,
    R.SUBJECT_CHANGED,
    R.RENEWAL_DUE,
    also=of_leaves(RENEW, WEB),
)
row(
    "a due leaf that ends with its issuer is blocked when renewing would not make it last longer",
    in_turn(
        applied(declares(ISSUING, validity=days(110), renew_before=timedelta(days=5))),
        applied(declares(validity=Validity())),
        lambda world: setattr(world, "now", NOW + timedelta(days=74)),
    ),
    BLOCKED,
    R.VALIDITY_IMPOSSIBLE,
    R.RENEWAL_DUE,
    also=of_leaves(RENEW, WEB),
)

# What changes nothing by itself
for what, edit in {
    "reuse_key": declares(reuse_key=True),
    "protect": declares(protect=True),
    "profile, when it says the same": declares(profile="peer"),
    "allow": declares(allow=frozenset({"rsa-1024"})),
    "lint": declares(lint_disabled=frozenset({"any"})),
    "passphrase: none": declares_key(plain_is_intended=True),
    "key.encryption of a plain key": declares_key(encryption=KeyEncryption(rounds=1_000_000)),
}.items():
    row(f"an edited {what} alone changes nothing", edit, KEEP)

# Who issues whom
row(
    "an issued certificate that shall be self-signed modifies, and its key stays",
    declares(issuer=None, validity=days(90)),
    MODIFY,
    R.ISSUER_CHANGED,
)
row(
    "a self-signed certificate that shall be issued modifies, and its key stays",
    declares(LEGACY, issuer=ISSUING),
    MODIFY,
    R.ISSUER_CHANGED,
    address=LEGACY,
)


def is_moved_beneath_other(world: World) -> None:
    declares(ISSUING, issuer=OTHER)(world)
    found = world.site.resources
    order = sorted(found, key=lambda address: (address != ROOT, address != OTHER))
    world.site = replace(world.site, resources={address: found[address] for address in order})


row(
    "an authority moved beneath another keeps its key, and what it issued is only served with another chain",
    is_moved_beneath_other,
    MODIFY,
    R.ISSUER_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)
row(
    "an authority that becomes a root keeps its key, and what it issued is only served without it",
    declares(ISSUING, issuer=None, validity=days(1095)),
    MODIFY,
    R.ISSUER_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)


def exchanged(world: World) -> None:
    web, api = world.certificate(WEB), world.certificate(API)
    world.set_certificate(WEB, Found(api))
    world.set_certificate(API, Found(web))


def keys_exchanged(world: World) -> None:
    web, api = world.key(WEB), world.key(API)
    world.set_key(WEB, Found(api))
    world.set_key(API, Found(web))


row(
    "two leaves' certificates exchanged for each other re-key both",
    exchanged,
    REKEY,
    R.KEY_MISMATCH,
    R.SUBJECT_CHANGED,
    R.NAMES_CHANGED,
    also={API: REKEY},
)
row("two leaves' keys exchanged for each other re-key both", keys_exchanged, REKEY, R.KEY_MISMATCH, also={API: REKEY})
row(
    "keys and certificates of two leaves exchanged modify both, with the keys that are there",
    in_turn(exchanged, keys_exchanged),
    MODIFY,
    R.SUBJECT_CHANGED,
    R.NAMES_CHANGED,
    also={API: MODIFY},
)
row(
    "an expired root is renewed with its key and leaves everything beneath it alone",
    finds(ROOT, not_before=NOW - timedelta(days=3653, seconds=-1), not_after=NOW - timedelta(days=1)),
    RENEW,
    R.EXPIRED,
    address=ROOT,
)


def issuing_is_renewed(world: World) -> None:
    world.pass_days(1)
    world.apply(replace=(ISSUING,))
    assert world.certificate(WEB).not_before < world.certificate(ISSUING).not_before


row(
    "what begins before its renewed issuer is kept",
    issuing_is_renewed,
    KEEP,
)
row(
    "a name constraint that is added to an authority modifies it and leaves what it issued alone",
    declare(
        lambda r: with_extension(r, extension("name_constraints", NameConstraints(dns("example")), critical=True)),
        ISSUING,
    ),
    MODIFY,
    R.EXTENSION_CHANGED,
    address=ISSUING,
    also=of_leaves(REENCODE),
)

# What is adopted and lives shortly: one percent is less than an hour
SHORT = Validity(lifetime=timedelta(hours=10))


def adopted_and_short(seconds: int) -> Mutation:
    def change(world: World) -> None:
        declares(ADOPTED, validity=SHORT)(world)
        found = world.certificate(ADOPTED)
        world.edit_certificate(ADOPTED, not_after=found.not_before + timedelta(hours=10, seconds=seconds))

    return change


row("an adopted certificate of ten hours may live six minutes more", adopted_and_short(360), KEEP, address=ADOPTED)
row("an adopted certificate of ten hours may live six minutes less", adopted_and_short(-360), KEEP, address=ADOPTED)
row(
    "an adopted certificate of ten hours that lives longer than six minutes more modifies",
    adopted_and_short(361),
    MODIFY,
    R.LIFETIME_CHANGED,
    address=ADOPTED,
)


def nine_days_and(seconds: int) -> Mutation:
    """Let so many seconds more than half the life of a certificate of nine days pass."""

    def change(world: World) -> None:
        applied(declares(validity=days(9)))(world)
        found = world.certificate(WEB)
        world.now = found.not_after - timedelta(seconds=int((found.not_after - found.not_before).total_seconds() / 2))
        world.now += timedelta(seconds=seconds)

    return change


row("a certificate of nine days is kept a second before half of its life is over", nine_days_and(-1), KEEP)
row("a certificate of nine days is renewed when half of its life is over", nine_days_and(0), RENEW, R.RENEWAL_DUE)

row("an owner that nobody declared is kept", certificate_has(WEB, uid=33, gid=33, owner="www", group="www"), KEEP)
row("an owner of a key that nobody declared is kept", key_has(WEB, uid=33, gid=33, owner="www", group="www"), KEEP)
