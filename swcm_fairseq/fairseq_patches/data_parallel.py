"""torch's ``DistributedDataParallel``, to which fairseq names a CUDA device whatever the model is on."""

from .patch import instead


@instead
def on_any_device(stock, module, device_ids=None, output_device=None, **options):
    """The wrapper, told of no device where the model is on a CPU."""
    if all(parameter.device.type == "cpu" for parameter in module.parameters()):
        device_ids = output_device = None
    return stock(module, device_ids=device_ids, output_device=output_device, **options)
