from . import tools_loader

tools_loader.install()

from . import controllers, models, wizards  # the loader comes first
from .hooks import uninstall_hook
