"""What may be wrong with a key file, and what that leads to. Unreadable is never a reason to generate a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pkiplan.model.keys import ExternalKey, KeyEncryption, KeyForm, KeySource, ManagedKey, ObservedKeySpec, PssBond
from pkiplan.model.observed import Found, Missing, ObservedKey, ObservedResource, Unreadable
from pkiplan.model.resource import Resource
from pkiplan.model.site import Site
from pkiplan.plan.attributes import attribute_differences
from pkiplan.plan.changes import Action, FieldChange, KeyStep, Reason
from pkiplan.plan.descriptions import several
from pkiplan.plan.difference import SAME, Blocker, Differences, differs


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVerdict:
    """What is to be said of a key: differences, what blocks, and what happens to it when nothing else asks for more.

    `offline` is set for an authority whose key is absent beside its certificate: it cannot sign, and that is no fault.
    """

    differences: Differences = ()
    blocker: Blocker | None = None
    offline: Blocker | None = None
    step: KeyStep = KeyStep.KEEP


SOUND = KeyVerdict()


def judge_key(
    resource: Resource,
    found: ObservedResource,
    site: Site,
    *,
    issued: Sequence[str],
    rekey: bool,
) -> KeyVerdict:
    """Tell what is wrong with a key. `issued` are certificates that an authority, wholly gone, had issued.

    `rekey` tells that a new key was asked for by name, which is the way out where a key is damaged or lost.
    """
    if rekey:
        return KeyVerdict(
            differences=differs(Action.REKEY, Reason.REQUESTED, "a new key is asked for (--replace --rekey)"),
            step=KeyStep.GENERATE,
        )
    match found.key:
        case Unreadable() as key:
            return KeyVerdict(blocker=_unusable(resource, key, site))
        case Missing():
            return _missing(resource, found, site, issued)
        case Found(value=key):
            return _found(resource, key, found, site)


def spki_of(found: ObservedResource) -> str | None:
    """Return the digest of the public key in use: of the key file, else of the certificate."""
    if isinstance(found.key, Found) and found.key.value.spki_sha256 is not None:
        return found.key.value.spki_sha256
    return found.certificate.value.spki_sha256 if isinstance(found.certificate, Found) else None


def spec_of(found: ObservedResource) -> ObservedKeySpec | None:
    """Return the type of the key in use; of an encrypted one that nobody opened its certificate tells."""
    if isinstance(found.key, Found) and found.key.value.spec is not None:
        return found.key.value.spec
    return found.certificate.value.key_spec if isinstance(found.certificate, Found) else None


def pss_bond(found: ObservedResource) -> PssBond | None:
    """Return what binds the key in use to RSASSA-PSS; of an encrypted one its certificate tells."""
    if isinstance(found.key, Found) and found.key.value.pss_bond is not None:
        return found.key.value.pss_bond
    if isinstance(found.certificate, Found) and found.certificate.value.spki_sha256 == spki_of(found):
        return found.certificate.value.key_pss_bond
    return None


def is_generated(resource: Resource) -> bool:
    """Tell whether pkiplan makes the resource's key, rather than being given it."""
    return isinstance(resource.key, ManagedKey) and not resource.key.is_adopted


def is_unchecked(resource: Resource, found: ObservedResource) -> bool:
    """Tell whether a key is encrypted and nothing is remembered of it."""
    return isinstance(resource.key, ManagedKey) and isinstance(found.key, Found) and found.key.value.spki_sha256 is None


def is_under_any_of_several(resource: Resource, found: ObservedResource) -> bool:
    """Tell whether several passphrases may open a key, and which one does is not known."""
    key = resource.key
    return (
        isinstance(key, ManagedKey)
        and not key.is_adopted
        and key.is_encrypted
        and len(key.passphrases) > 1
        and isinstance(found.key, Found)
        and found.key.value.encryption is not None
        and found.key.value.opened_by is None
    )


def shown_path(site: Site, path: str) -> str:
    """Write a path as a person sees it from the manifest's directory; one that lies elsewhere stays absolute."""
    return path.removeprefix(f"{site.base}/")


def key_path(site: Site, resource: Resource) -> str:
    """Write where a resource's key lies, or should lie."""
    return shown_path(site, site.path(resource, resource.key.path))


def offline_way_out(resource: Resource, site: Site) -> str:
    """Say what to do about an authority whose key is not here."""
    bring = f"bring its key to {key_path(site, resource)} to sign with it"
    return (
        f"{bring}, or give it a new one if it is lost for good: {_rekey(resource)}" if is_generated(resource) else bring
    )


def _rekey(resource: Resource) -> str:
    allow = f" --allow {resource.address}" if resource.is_authority else ""
    return f"`--replace {resource.address} --rekey{allow}`"


def _unusable(resource: Resource, key: Unreadable, site: Site) -> Blocker:
    path = key_path(site, resource)
    if key.is_of_another_kind:
        reason, state, mend = Reason.KEY_TYPE_CHANGED, "cannot be used", f"put {_wanted_kind(resource.key)}"
    elif key.is_damaged:
        reason, state, mend = Reason.DAMAGED, "is damaged", "restore it"
    else:
        reason, state, mend = Reason.UNREADABLE, "cannot be read", "make it readable"
    replaced = f", or replace it with a new key (the old file goes to the archive): {_rekey(resource)}"
    return Blocker(
        reason=reason,
        message=f"{resource.key.path} {state}: {key.why}",
        way_out=f"{mend} at {path}{replaced if is_generated(resource) else ''}",
    )


def _wanted_kind(key: KeySource) -> str:
    return "a key that signs (RSA, ECDSA, Ed25519, Ed448 or ML-DSA)" if key.spec is None else f"a key of {key.spec}"


def _nothing_opens(resource: Resource, site: Site) -> Blocker:
    path = key_path(site, resource)
    return Blocker(
        reason=Reason.KEY_ENCRYPTION_CHANGED,
        message=f"{resource.key.path} is encrypted, and the manifest names no passphrase that opens it",
        way_out=f"name it for {path}: `passphrase: [none, {{env: NAME}}]` stores the key plain; "
        f"or replace the key: {_rekey(resource)}",
    )


def _missing(resource: Resource, found: ObservedResource, site: Site, issued: Sequence[str]) -> KeyVerdict:
    if isinstance(resource.key, ExternalKey):
        what = "certificate request" if resource.key.is_request else "public key"
        return KeyVerdict(blocker=_not_given(resource, site, what))
    if resource.is_authority and isinstance(found.certificate, Found):
        return KeyVerdict(offline=_offline(resource, site))
    if resource.key.is_adopted:
        return KeyVerdict(blocker=_not_given(resource, site, "adopted key"))
    if resource.is_authority and isinstance(found.certificate, Unreadable):
        path = shown_path(site, site.certificate_path(resource))
        return KeyVerdict(
            blocker=Blocker(
                reason=Reason.DAMAGED,
                message=f"its certificate is damaged and {resource.key.path} is not here: {found.certificate.why}",
                way_out=f"restore {path}, or {offline_way_out(resource, site)}",
            )
        )
    if issued:
        gone = f"key and certificate are gone, yet it issued {several(issued)}"
        return KeyVerdict(differences=differs(Action.REKEY, Reason.KEY_MISSING, gone), step=KeyStep.GENERATE)
    if not isinstance(found.certificate, Missing):
        message = f"{resource.key.path} is missing beside its certificate"
        return KeyVerdict(differences=differs(Action.REKEY, Reason.KEY_MISSING, message), step=KeyStep.GENERATE)
    return KeyVerdict(step=KeyStep.GENERATE)


def _not_given(resource: Resource, site: Site, what: str) -> Blocker:
    return Blocker(
        reason=Reason.KEY_MISSING,
        message=f"the {what} {resource.key.path} is not there",
        way_out=f"put the {what} at {key_path(site, resource)}; pkiplan never makes one in its place",
    )


def _offline(resource: Resource, site: Site) -> Blocker:
    return Blocker(
        reason=Reason.KEY_OFFLINE,
        message=f"offline: {resource.key.path} is not here, so nothing can be signed with it",
        way_out=offline_way_out(resource, site),
        is_fault=False,
    )


def _found(
    resource: Resource,
    key: ObservedKey,
    found: ObservedResource,
    site: Site,
) -> KeyVerdict:
    weakness = _weakness(key, found)
    if weakness is not None:
        return KeyVerdict(blocker=_weak(resource, weakness, site))
    mismatch = _mismatch(resource, key, found)
    other = _other_spec(resource.key, found)
    if isinstance(resource.key, ExternalKey) or resource.key.is_adopted:
        if other:
            return KeyVerdict(blocker=_given_otherwise(resource, other, site))
        return KeyVerdict(differences=mismatch) if mismatch else SOUND
    if key.encryption is not None and not resource.key.passphrases and not _needs_new(mismatch, other):
        return KeyVerdict(blocker=_nothing_opens(resource, site))
    form = _stored_otherwise(resource.key, key)
    if not (mismatch or other or form):
        return SOUND
    return KeyVerdict(
        differences=(*other, *mismatch, *form),
        step=KeyStep.GENERATE if _needs_new(mismatch, other) else KeyStep.REENCODE if form else KeyStep.KEEP,
    )


def _weakness(key: ObservedKey, found: ObservedResource) -> str | None:
    """Say why anybody could sign with a key; of an encrypted one its certificate tells."""
    if key.spki_sha256 is None and isinstance(found.certificate, Found):
        return found.certificate.value.key_weakness
    return key.weakness


def _weak(resource: Resource, weakness: str, site: Site) -> Blocker:
    """Block on a key that anybody can use: nothing that is signed with it, or for it, proves anything."""
    path = key_path(site, resource)
    mend = f"replace it: {_rekey(resource)}" if is_generated(resource) else f"put a sound one at {path}"
    return Blocker(
        reason=Reason.KEY_UNSOUND,
        message=f"the key in {resource.key.path} is unsound: {weakness}",
        way_out=f"{mend}; nothing that it signed or certified can be relied on",
    )


def _needs_new(*groups: Differences) -> bool:
    return any(difference.action is Action.REKEY for group in groups for difference in group)


def _mismatch(resource: Resource, key: ObservedKey, found: ObservedResource) -> Differences:
    """Find a key that is not its certificate's. A generated leaf key is made anew; others sign again with theirs."""
    if key.spki_sha256 is None or not isinstance(found.certificate, Found):
        return SAME
    if key.spki_sha256 == found.certificate.value.spki_sha256:
        return SAME
    action = Action.REKEY if is_generated(resource) and not resource.is_authority else Action.MODIFY
    return differs(action, Reason.KEY_MISMATCH, f"the certificate is not of the key in {resource.key.path}")


def _other_spec(declared: KeySource, found: ObservedResource) -> Differences:
    if declared.spec is None:
        return SAME
    observed = spec_of(found)
    if observed is None or observed == declared.spec:
        return SAME
    before, after = str(observed), str(declared.spec)
    return differs(Action.REKEY, Reason.KEY_TYPE_CHANGED, f"key {before} → {after}", FieldChange("key", before, after))


def _given_otherwise(resource: Resource, other: Differences, site: Site) -> Blocker:
    """Block on a given key of another type: it is not pkiplan's to replace."""
    change = other[0].fields[0]
    path = key_path(site, resource)
    return Blocker(
        reason=Reason.KEY_TYPE_CHANGED,
        message=f"the key given in {resource.key.path} is {change.before}, declared is {change.after}",
        way_out=f"declare the key as it is ({change.before}), or put one of {change.after} at {path}",
    )


def _stored_otherwise(declared: ManagedKey, key: ObservedKey) -> Differences:
    """Find a key file in another form, encryption, mode or owner than declared."""
    differences: list[Differences] = []
    wanted = declared.encryption if declared.is_encrypted else None
    if key.encryption != wanted:
        before, after = _encryption_text(key.encryption), _encryption_text(wanted)
        change = FieldChange("key.encryption", before, after)
        message = f"key encryption {before} → {after}"
        differences.append(differs(Action.REENCODE, Reason.KEY_ENCRYPTION_CHANGED, message, change))
    if key.opened_by is not None and declared.is_encrypted and key.opened_by != str(declared.passphrases[0]):
        before, after = key.opened_by, str(declared.passphrases[0])
        change = FieldChange("key.passphrase", before, after)
        message = f"passphrase {before} → {after}"
        differences.append(differs(Action.REENCODE, Reason.PASSPHRASE_CHANGED, message, change))
    # An encrypted key is PKCS#8 whatever form is declared (RFC 5958, 3).
    form = KeyForm.PKCS8 if declared.is_encrypted else declared.form
    if key.form not in (None, form):
        change = FieldChange("key.form", str(key.form), form.value)
        message = f"key form {key.form} → {form.value}"
        differences.append(differs(Action.REENCODE, Reason.KEY_FORM_CHANGED, message, change))
    differences.append(attribute_differences(declared.path, key.file, declared.attributes))
    return tuple(difference for group in differences for difference in group)


def _encryption_text(encryption: KeyEncryption | None) -> str:
    return "none" if encryption is None else str(encryption)
