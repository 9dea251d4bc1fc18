"""A site as it was declared by the defaults under which what is there was made; loaded only where any has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pkiplan.model.extensions import EXTENSION_OIDS, Extension
from pkiplan.model.keys import ManagedKey
from pkiplan.model.observed import Found, ObservedKey, ObservedResource, ObservedState
from pkiplan.model.resource import Output, Resource
from pkiplan.model.site import Site
from pkiplan.plan.comparable import comparable
from pkiplan.plan.older_defaults import OlderDefault
from pkiplan.plan.outputs import HOLDINGS

# What is declared or observed where there is nothing to compare; nothing equals it.
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that can have a default: how it is declared, how it is observed, and how to declare another."""

    declared: Callable[[Resource], object]
    observed: Callable[[ObservedResource], object]
    declare: Callable[[Resource, Any], Resource]


def site_as_issued(
    site: Site,
    observed: ObservedState,
    older_defaults: Sequence[OlderDefault],
    says: Callable[[str, Sequence[str]], bool],
) -> Site:
    """Give a site with the defaults of then where what is there was made by those; the same one if by today's.

    `says` answers whether the manifest itself says one of these keys of a resource: that is no default.
    """
    changed = {
        resource.address: older
        for resource in site
        if (older := _as_issued(resource, observed.of(resource.address), older_defaults, says)) != resource
    }
    return replace(site, resources={**site.resources, **changed}) if changed else site


def _as_issued(
    resource: Resource,
    found: ObservedResource,
    older_defaults: Sequence[OlderDefault],
    says: Callable[[str, Sequence[str]], bool],
) -> Resource:
    for field in dict.fromkeys(default.field for default in older_defaults):
        known = [default for default in older_defaults if default.field == field]
        for aspect in _aspects(field, resource):
            declared, observed = aspect.declared(resource), aspect.observed(found)
            if declared is _NOTHING or observed is _NOTHING or comparable(declared) == comparable(observed):
                continue
            before = next((old for old in _earlier(declared, known) if comparable(old) == comparable(observed)), ...)
            if before is not ... and not says(resource.address, [key for default in known for key in default.keys]):
                resource = aspect.declare(resource, before)
    return resource


def _earlier(value: object, known: Sequence[OlderDefault]) -> Iterator[object]:
    """List what was the default before a value became it, latest first; what was changed back and forth ends, too."""
    accepted = [value]
    for newer in accepted:
        for default in known:
            if comparable(default.new) == comparable(newer) and default.old not in accepted:
                accepted.append(default.old)
                yield default.old


def _aspects(field: str, resource: Resource) -> Iterator[Aspect]:
    if field in ASPECTS:
        yield ASPECTS[field]
        return
    format_, _, option = field.partition(".")
    if option and not option[0].isdigit():
        yield from (_option(output, option) for output in resource.outputs if output.format == format_)
    else:
        yield _extension(EXTENSION_OIDS.get(field, field))


def _extension(oid: str) -> Aspect:
    def of(extensions: Sequence[Extension]) -> Extension | None:
        return next((extension for extension in extensions if extension.oid == oid), None)

    def declare(resource: Resource, value: Extension | None) -> Resource:
        places = {known: position for position, known in enumerate(EXTENSION_OIDS.values())}
        others = [extension for extension in resource.extensions if extension.oid != oid]
        extensions = sorted(
            [*others, value] if value else others, key=lambda one: (places.get(one.oid, len(places)), one.oid)
        )
        return replace(resource, extensions=tuple(extensions))

    return Aspect(
        lambda resource: of(resource.extensions),
        lambda found: of(found.certificate.value.extensions) if isinstance(found.certificate, Found) else _NOTHING,
        declare,
    )


def _option(output: Output, name: str) -> Aspect:
    def declared(_: Resource) -> object:
        is_said = name in dict(output.options)
        return _NOTHING if is_said else HOLDINGS[output.format].defaults.get(name, _NOTHING)

    def observed(found: ObservedResource) -> object:
        file = found.files.get(output.path)
        options = dict(file.value.contents.options) if isinstance(file, Found) else {}
        return options.get(name, _NOTHING)

    def declare(resource: Resource, value: Any) -> Resource:
        options = tuple(sorted({**dict(output.options), name: value}.items()))
        outputs = tuple(replace(one, options=options) if one.path == output.path else one for one in resource.outputs)
        return replace(resource, outputs=outputs)

    return Aspect(declared, observed, declare)


def _of_key(
    declared: Callable[[ManagedKey], object],
    observed: Callable[[ObservedResource], object],
    declare: Callable[[ManagedKey, Any], ManagedKey],
) -> Aspect:
    def of(resource: Resource) -> object:
        return declared(resource.key) if isinstance(resource.key, ManagedKey) else _NOTHING

    def put(resource: Resource, value: object) -> Resource:
        assert isinstance(resource.key, ManagedKey), "of any other key nothing is declared"
        return replace(resource, key=declare(resource.key, value))

    return Aspect(of, observed, put)


def _of_key_file(read: Callable[[ObservedKey], object]) -> Callable[[ObservedResource], object]:
    return lambda found: read(found.key.value) if isinstance(found.key, Found) else _NOTHING


def _life(found: ObservedResource) -> object:
    if not isinstance(found.certificate, Found):
        return _NOTHING
    return found.certificate.value.not_after - found.certificate.value.not_before


def _signature(found: ObservedResource) -> object:
    if not isinstance(found.certificate, Found):
        return _NOTHING
    return (found.certificate.value.signature_digest, found.certificate.value.signature_is_pss)


def _key_spec(found: ObservedResource) -> object:
    if isinstance(found.key, Found) and found.key.value.spec is not None:
        return found.key.value.spec
    # Encrypted, or not here: the certificate tells.
    return found.certificate.value.key_spec if isinstance(found.certificate, Found) else _NOTHING


def _mode(found: ObservedResource) -> object:
    return found.certificate.value.file.mode if isinstance(found.certificate, Found) else _NOTHING


ASPECTS: dict[str, Aspect] = {
    "lifetime": Aspect(
        lambda resource: resource.validity.lifetime or _NOTHING,
        _life,
        lambda resource, value: replace(resource, validity=replace(resource.validity, lifetime=value)),
    ),
    "signature": Aspect(
        lambda resource: (resource.digest, resource.rsa_pss),
        _signature,
        lambda resource, value: replace(resource, digest=value[0], rsa_pss=value[1]),
    ),
    "mode": Aspect(
        lambda resource: resource.attributes.mode,
        _mode,
        lambda resource, value: replace(resource, attributes=replace(resource.attributes, mode=value)),
    ),
    "key": _of_key(lambda key: key.spec, _key_spec, lambda key, value: replace(key, spec=value)),
    "key.form": _of_key(
        lambda key: key.form, _of_key_file(lambda key: key.form), lambda key, value: replace(key, form=value)
    ),
    "key.encryption": _of_key(
        lambda key: key.encryption,
        _of_key_file(lambda key: key.encryption),
        lambda key, value: replace(key, encryption=value),
    ),
    "key.mode": _of_key(
        lambda key: key.attributes.mode,
        _of_key_file(lambda key: key.file.mode),
        lambda key, value: replace(key, attributes=replace(key.attributes, mode=value)),
    ),
}
