"""An emulated machine with hidraw nodes, in which native node-hid finds and opens devices (umockdev). It knows nothing of their protocol.

Run under `umockdev-wrapper`. One JSON document a line. In:
  {"op":"plug","node":"hidraw0","product":"6011","serial":"0001"}   {"op":"send","node":…,"packets":[hex…]}
  {"op":"unplug","node":…}   {"op":"hide","node":…} (listed, but its node is gone)   end of input: it ends
Out: {"root":…} once, {"plugged":node}, {"unplugged":node}, {"hidden":node}, {"node":…,"write":hex} for each 65 bytes that came, {"sent":node}.
"""
import itertools
import json
import os
import select
import shutil
import struct
import sys

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

DESCRIPTOR = bytes.fromhex("06a0ff0901a1010903150026ff007508954081080904150026ff00750895409108c0")
WRITE_BYTES = 65
# The terminal behind a node merges what is written together: each packet waits until the one before was read.
GAP_MS = 4

bed = UMockdev.Testbed.new()
nodes = {}
# By name, also of nodes that are gone: letting go of one closes its connections, and umockdev ends a program that has just asked through one.
handlers = {}
# A number that a device had is not given to the next.
numbers = itertools.count()


def say(**fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Hidraw(UMockdev.IoctlBase):
    """Answers the questions that hidapi asks of a node."""

    product = 0

    def do_handle_ioctl(self, client):
        request = client.get_property("request") & 0xFFFFFFFF
        number, size = request & 0xFF, (request >> 16) & 0x3FFF
        answers = {
            1: struct.pack("<i", len(DESCRIPTOR)),
            2: struct.pack("<I", len(DESCRIPTOR)) + DESCRIPTOR,
            3: struct.pack("<Ihh", 3, 0x2C97, self.product),
            4: b"Ledger\0",
            5: b"usb-mock-1/input0\0",
            8: b"0001\0",
        }
        if (request >> 8) & 0xFF != 0x48 or number not in answers:
            return False
        answer = answers[number][:size]
        client.get_property("arg").resolve(0, size).update(0, list(answer.ljust(size, b"\0")))
        client.complete(len(answer) if number in (4, 5, 8) else 0, 0)
        return True


class Node:
    def __init__(self, name, product, serial):
        self.name, self.queue, self.taken, self.isSending = name, [], bytearray(), False
        number = next(numbers)
        self.usb = f"/devices/pci0000:00/usb1/1-{number + 1}"
        hid = f"{self.usb}/1-{number + 1}:1.0/0003:2C97:{product}.{number + 1:04}"
        self.sys = f"{hid}/hidraw/{name}"
        # Before anybody can find the node: umockdev ends a program that cannot ask.
        if name in handlers:
            bed.detach_ioctl(f"/dev/{name}")
        handlers[name] = Hidraw()
        handlers[name].product = int(product, 16)
        bed.attach_ioctl(f"/dev/{name}", handlers[name])
        # Removing the last node removes their folder, which is not made again.
        os.makedirs(f"{bed.get_root_dir()}/dev/.node", exist_ok=True)
        bed.add_from_string(DESCRIPTION.format(
            usb=self.usb, interface=hid.rsplit("/", 1)[0], hid=hid, leaf=hid.rsplit("/", 1)[1], sys=self.sys, name=name,
            product=product, short=product.lstrip("0") or "0", serial=serial, address=number + 2, number=number,
            descriptor=DESCRIPTOR.hex().upper(),
        ))
        self.master = bed.get_dev_fd(f"/dev/{name}")
        pts = os.readlink(f"{bed.get_root_dir()}/dev/{name}")
        # The system uses a terminal's number again once it is closed; the note about it would be in the way.
        self.note = f"{bed.get_root_dir()}/dev/.ptymap/{pts.replace('/', '_')}"
        minor = pts.rsplit("/", 1)[1]
        for key, value in (("MAJOR", "136"), ("MINOR", minor)):
            bed.set_property(f"/sys{self.sys}", key, value)
        bed.set_attribute(f"/sys{self.sys}", "dev", f"136:{minor}")
        self.link = f"{bed.get_root_dir()}/sys/dev/char/136:{minor}"
        os.makedirs(os.path.dirname(self.link), exist_ok=True)
        os.symlink(f"../..{self.sys}", self.link)
        self.slave = os.open(pts, os.O_RDWR | os.O_NOCTTY)
        self.poller = select.poll()
        self.poller.register(self.slave, select.POLLIN)
        self.watch = GLib.io_add_watch(self.master, GLib.IO_IN, self.read)

    def read(self, *_):
        self.taken.extend(os.read(self.master, 4096))
        while len(self.taken) >= WRITE_BYTES:
            say(node=self.name, write=bytes(self.taken[:WRITE_BYTES]).hex())
            del self.taken[:WRITE_BYTES]
        return True

    def is_unread(self):
        # Asking with poll also moves along what the kernel still holds between the terminal's two ends; FIONREAD would not see that.
        return bool(self.poller.poll(0))

    def send(self, packets):
        self.queue.extend(bytes.fromhex(packet) for packet in packets)
        if not self.isSending:
            self.isSending = True
            self.pump()

    def pump(self):
        if self.master < 0:
            return False
        if not self.is_unread():
            if not self.queue:
                self.isSending = False
                say(sent=self.name)
                return False
            os.write(self.master, self.queue.pop(0))
        GLib.timeout_add(GAP_MS, self.pump)
        return False

    def hide(self):
        os.unlink(f"{bed.get_root_dir()}/dev/{self.name}")

    def unplug(self):
        GLib.source_remove(self.watch)
        os.close(self.master)
        self.master = -1
        os.close(self.slave)
        os.unlink(self.link)
        os.unlink(self.note)
        bed.remove_device(f"/sys{self.usb}")


DESCRIPTION = """P: {usb}
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
E: DRIVER=usb
E: PRODUCT=2c97/{short}/201
A: busnum=1
A: devnum={address}
A: idVendor=2c97
A: idProduct={product}
A: manufacturer=Ledger
A: product=Ledger
A: serial={serial}
A: bcdDevice=0201

P: {interface}
E: DEVTYPE=usb_interface
E: SUBSYSTEM=usb
E: DRIVER=usbhid
A: bInterfaceNumber=00
A: bInterfaceClass=03

P: {hid}
E: SUBSYSTEM=hid
E: DRIVER=hid-generic
E: HID_ID=0003:00002C97:0000{product}
E: HID_NAME=Ledger
E: HID_PHYS=usb-mock-1/input0
E: HID_UNIQ={serial}
H: report_descriptor={descriptor}

P: {sys}
N: {name}
E: SUBSYSTEM=hidraw
E: DEVNAME=/dev/{name}
E: MAJOR=242
E: MINOR={number}
A: dev=242:{number}
L: device=../../../{leaf}

"""


def obey(order):
    name = order["node"]
    if order["op"] == "plug":
        nodes[name] = Node(name, order["product"], order["serial"])
        say(plugged=name)
    elif order["op"] == "unplug":
        if name in nodes:
            nodes.pop(name).unplug()
        say(unplugged=name)
    elif order["op"] == "hide":
        nodes[name].hide()
        say(hidden=name)
    elif order["op"] == "send" and name in nodes:
        nodes[name].send(order["packets"])


lines = bytearray()


def listen(*_):
    data = os.read(0, 65536)
    if data == b"":
        loop.quit()
        return False
    lines.extend(data)
    while b"\n" in lines:
        line, _, rest = bytes(lines).partition(b"\n")
        lines[:] = rest
        obey(json.loads(line))
    return True


GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, listen)
loop = GLib.MainLoop()
say(root=bed.get_root_dir())
loop.run()
shutil.rmtree(bed.get_root_dir())
