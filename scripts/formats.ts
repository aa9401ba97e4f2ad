/** What an executable is, read from its own first bytes, and whether that is what its name says. */
import { inspectSignature } from "./macho.ts";
import type { Target } from "./targets.ts";

type Architecture = "x64" | "arm64";

/** Numbers of processors in ELF (e_machine), Mach-O (cputype) and PE (Machine). */
const ELF_MACHINES: Readonly<Record<number, Architecture>> = { 62: "x64", 183: "arm64" };
const MACH_CPUS: Readonly<Record<number, Architecture>> = { 16777223: "x64", 16777228: "arm64" };
const PE_MACHINES: Readonly<Record<number, Architecture>> = { 34404: "x64", 43620: "arm64" };
/** The loader that an ELF file asks for tells the C library. */
const LOADERS: Readonly<Record<string, string>> = {
  "/lib64/ld-linux-x86-64.so.2": "linux-x64",
  "/lib/ld-linux-aarch64.so.1": "linux-arm64",
  "/lib/ld-musl-x86_64.so.1": "linux-x64-musl",
  "/lib/ld-musl-aarch64.so.1": "linux-arm64-musl",
};

/**
 * Name of the target that the bytes are made for, as in scripts/targets.ts; undefined for anything
 * else.
 */
export function platformOf(bytes: Uint8Array): string | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 64) return undefined;
  if (file.readUInt32BE(0) === 0x7f454c46) return elfPlatform(file);
  if (file.readUInt32LE(0) === 0xfeedfacf) return named("darwin", MACH_CPUS[file.readUInt32LE(4)]);
  if (file.toString("latin1", 0, 2) !== "MZ") return undefined;
  const header = file.readUInt32LE(60);
  if (file.toString("latin1", header, header + 4) !== "PE\0\0") return undefined;
  return named("windows", PE_MACHINES[file.readUInt16LE(header + 4)]);
}

function named(system: string, architecture: Architecture | undefined): string | undefined {
  return architecture === undefined ? undefined : `${system}-${architecture}`;
}

const PT_INTERP = 3;

function elfPlatform(file: Buffer): string | undefined {
  const [offset, size, count] = [
    Number(file.readBigUInt64LE(32)),
    file.readUInt16LE(54),
    file.readUInt16LE(56),
  ];
  for (let at = offset; at < offset + size * count; at += size) {
    if (file.readUInt32LE(at) !== PT_INTERP) continue;
    const start = Number(file.readBigUInt64LE(at + 8));
    const platform = LOADERS[file.toString("latin1", start, file.indexOf(0, start))];
    return platform?.split("-")[1] === ELF_MACHINES[file.readUInt16LE(18)] ? platform : undefined;
  }
  return undefined;
}

/**
 * What is wrong with an executable of the target, or nothing: format, processor, C library, and on
 * macOS each page of the signature.
 */
export function findFormatFaults(bytes: Uint8Array, target: Target): string[] {
  const platform = platformOf(bytes);
  if (platform !== target.name) return [`It is made for ${platform ?? "something else"}.`];
  if (!target.name.startsWith("darwin-")) return [];
  const { isAdHoc, wrongPages, pages } = inspectSignature(bytes);
  return [
    ...(isAdHoc ? [] : ["Its signature is that of the runtime's maker."]),
    ...(wrongPages === 0
      ? []
      : [`${wrongPages} of ${pages} pages are not what its signature says.`]),
  ];
}
