from . import callbacks, records
