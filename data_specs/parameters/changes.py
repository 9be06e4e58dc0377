"""Which parameters are not what preset, profile and defaults say."""

from data_specs.parameters.former_names import ONE_OR_SEVERAL
from data_specs.parameters.sections import SECTIONS, Parameters, Sources, Values, resolve


def changed(parameters: Parameters) -> Values:
    """The values that preset, profile and defaults do not give: `resolve` of them leads back.

    Who did the work (`dask`) is omitted.
    """
    result: Values = {"preset": parameters.preset} if parameters.preset else {}
    profile = {"profile": parameters.sources.profile}
    given_already = resolve({**result, "sources": profile}).to_dict()
    for name in SECTIONS:
        values = parameters.to_dict()[name]
        differing = {k: v for k, v in values.items() if v != given_already[name][k]}
        for key, value in differing.items():  # one is a text, as ever
            if f"{name}.{key}" in ONE_OR_SEVERAL and value and len(value) == 1:
                differing[key] = value[0]
        # A build whose parameters do not say `root: auto` is from before there was a choice.
        if name == "hierarchy" and values["root"] == "auto":
            differing["root"] = "auto"
        if name == "sources" and parameters.sources.profile != Sources().profile:
            differing = profile | differing
        if differing and name != "dask":
            result[name] = differing
    return result
