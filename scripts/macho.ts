/**
 * Code signatures of Mach-O executables. Bun signs what it compiles for Apple's own processors, but
 * leaves macOS x64 with the signature of the runtime, whose page hashes are then wrong; that one is
 * replaced by an ad-hoc signature, such as `codesign --sign -` makes. Layouts after
 * <mach-o/loader.h> and Apple's cs_blobs.h; the file is little-endian, signatures are big-endian.
 */
import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
const REQUIREMENTS = 0xfade0c01;
const SIGNATURE_WRAPPER = 0xfade0b01;
const SLOT_REQUIREMENTS = 2;
const SLOT_SIGNATURE = 0x10000;
const ADHOC = 0x2;
const MAIN_BINARY = 0x1;
const HASH_SHA256 = 2;
const HASH_BYTES = 32;
const PAGE_SHIFT = 12;
const PAGE = 1 << PAGE_SHIFT;
/** With the fields for 64-bit limits and the executable segment. */
const DIRECTORY_VERSION = 0x20400;
const DIRECTORY_HEADER = 88;

interface Command {
  readonly at: number;
  readonly kind: number;
}

interface Layout {
  /** Load command of the signature, and where its data lies. */
  readonly signature: { readonly at: number; readonly offset: number; readonly size: number };
  readonly text: { readonly offset: number; readonly size: number };
  /** Load command of __LINKEDIT, which ends with the signature. */
  readonly linkedit: { readonly at: number; readonly offset: number };
}

function* commandsOf(file: Buffer): Generator<Command> {
  if (file.readUInt32LE(0) !== MAGIC_64) throw new Error("This is not a 64-bit Mach-O file.");
  let at = 32;
  for (let left = file.readUInt32LE(16); left > 0; left -= 1) {
    yield { at, kind: file.readUInt32LE(at) };
    at += file.readUInt32LE(at + 4);
  }
}

function layoutOf(file: Buffer): Layout {
  let signature: Layout["signature"] | undefined;
  let text: Layout["text"] | undefined;
  let linkedit: Layout["linkedit"] | undefined;
  for (const { at, kind } of commandsOf(file)) {
    if (kind === LC_CODE_SIGNATURE)
      signature = { at, offset: file.readUInt32LE(at + 8), size: file.readUInt32LE(at + 12) };
    if (kind !== LC_SEGMENT_64) continue;
    const name = file.toString("latin1", at + 8, at + 24).replace(/\0+$/, "");
    const [offset, size] = [
      Number(file.readBigUInt64LE(at + 40)),
      Number(file.readBigUInt64LE(at + 48)),
    ];
    if (name === "__TEXT") text = { offset, size };
    if (name === "__LINKEDIT") linkedit = { at, offset };
  }
  if (signature === undefined || text === undefined || linkedit === undefined)
    throw new Error("There is nothing to sign.");
  return { signature, text, linkedit };
}

/** The executable with an ad-hoc signature in place of the one at its end. */
export function signAdHoc(original: Uint8Array, identifier: string): Buffer {
  const { signature, text, linkedit } = layoutOf(Buffer.from(original));
  const limit = signature.offset;
  const size = signatureSize(limit, identifier);
  const file = Buffer.alloc(limit + size);
  file.set(original.subarray(0, limit));
  file.writeUInt32LE(size, signature.at + 12);
  const linkeditSize = BigInt(limit + size - linkedit.offset);
  file.writeBigUInt64LE(linkeditSize, linkedit.at + 48);
  file.writeBigUInt64LE((linkeditSize + BigInt(PAGE - 1)) & ~BigInt(PAGE - 1), linkedit.at + 32);
  // The load commands above lie in the first page, and so are covered by its hash.
  file.set(signatureOf(file.subarray(0, limit), identifier, text), limit);
  return file;
}

function directorySize(limit: number, identifier: string): number {
  const hashes = 2 + Math.ceil(limit / PAGE);
  return DIRECTORY_HEADER + identifier.length + 1 + hashes * HASH_BYTES;
}

const SUPER_HEADER = 12 + 3 * 8;
const EMPTY_REQUIREMENTS = 12;
const EMPTY_SIGNATURE = 8;

function signatureSize(limit: number, identifier: string): number {
  const size =
    SUPER_HEADER + directorySize(limit, identifier) + EMPTY_REQUIREMENTS + EMPTY_SIGNATURE;
  return Math.ceil(size / 16) * 16;
}

function signatureOf(code: Buffer, identifier: string, text: Layout["text"]): Buffer {
  const requirements = blob(REQUIREMENTS, Buffer.alloc(4));
  const parts: readonly (readonly [slot: number, bytes: Buffer])[] = [
    [0, directoryOf(code, identifier, requirements, text)],
    [SLOT_REQUIREMENTS, requirements],
    [SLOT_SIGNATURE, blob(SIGNATURE_WRAPPER, Buffer.alloc(0))],
  ];
  const index = Buffer.alloc(4 + parts.length * 8);
  index.writeUInt32BE(parts.length, 0);
  let offset = 8 + index.length;
  for (const [at, [slot, bytes]] of parts.entries()) {
    index.writeUInt32BE(slot, 4 + at * 8);
    index.writeUInt32BE(offset, 8 + at * 8);
    offset += bytes.length;
  }
  return blob(SUPER_BLOB, Buffer.concat([index, ...parts.map(([, bytes]) => bytes)]));
}

function blob(magic: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(magic, 0);
  head.writeUInt32BE(8 + content.length, 4);
  return Buffer.concat([head, content]);
}

function directoryOf(
  code: Buffer,
  identifier: string,
  requirements: Buffer,
  text: Layout["text"],
): Buffer {
  const pages = Math.ceil(code.length / PAGE);
  const directory = Buffer.alloc(directorySize(code.length, identifier));
  const hashOffset = DIRECTORY_HEADER + identifier.length + 1 + 2 * HASH_BYTES;
  const words: readonly (readonly [at: number, value: number])[] = [
    [0, CODE_DIRECTORY],
    [4, directory.length],
    [8, DIRECTORY_VERSION],
    [12, ADHOC],
    [16, hashOffset],
    [20, DIRECTORY_HEADER],
    [24, 2],
    [28, pages],
    [32, code.length],
  ];
  for (const [at, value] of words) directory.writeUInt32BE(value, at);
  directory.set([HASH_BYTES, HASH_SHA256, 0, PAGE_SHIFT], 36);
  directory.writeBigUInt64BE(BigInt(text.offset), 64);
  directory.writeBigUInt64BE(BigInt(text.size), 72);
  directory.writeBigUInt64BE(BigInt(MAIN_BINARY), 80);
  directory.write(identifier, DIRECTORY_HEADER, "latin1");
  // Special slots precede the first page: requirements (-2), Info.plist (-1), of which there
  // is none.
  directory.set(sha256(requirements), hashOffset - 2 * HASH_BYTES);
  for (let page = 0; page < pages; page += 1) {
    directory.set(
      sha256(code.subarray(page * PAGE, (page + 1) * PAGE)),
      hashOffset + page * HASH_BYTES,
    );
  }
  return directory;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

export interface SignatureFacts {
  readonly identifier: string;
  readonly isAdHoc: boolean;
  readonly pages: number;
  /** How many pages are not what the signature says; 0 for a file that macOS runs. */
  readonly wrongPages: number;
}

/**
 * Reads a signature as the kernel does: every page is hashed and compared. Throws when there is
 * none that can be read.
 */
export function inspectSignature(bytes: Uint8Array): SignatureFacts {
  const file = Buffer.from(bytes);
  const { signature } = layoutOf(file);
  const all = file.subarray(signature.offset, signature.offset + signature.size);
  if (all.length !== signature.size || all.readUInt32BE(0) !== SUPER_BLOB)
    throw new Error("There is no signature.");
  const directory = all.subarray(directoryOffset(all));
  const [hashOffset, identOffset, pages, limit] = [16, 20, 28, 32].map((at) =>
    directory.readUInt32BE(at),
  ) as [number, number, number, number];
  const [hashSize = 0, hashType, , shift = 0] = directory.subarray(36, 40);
  const pageSize = 2 ** shift;
  if (hashType !== HASH_SHA256 || hashSize !== HASH_BYTES)
    throw new Error("The signature has another hash than SHA-256.");
  if (limit !== signature.offset || pages !== Math.ceil(limit / pageSize))
    throw new Error("The signature does not cover the file.");
  let wrongPages = 0;
  for (let page = 0; page < pages; page += 1) {
    const expected = directory.subarray(
      hashOffset + page * hashSize,
      hashOffset + (page + 1) * hashSize,
    );
    const found = sha256(file.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit)));
    if (!found.equals(expected)) wrongPages += 1;
  }
  const identifier = directory.toString("latin1", identOffset, directory.indexOf(0, identOffset));
  return { identifier, isAdHoc: (directory.readUInt32BE(12) & ADHOC) !== 0, pages, wrongPages };
}

/** The SHA-256 directory; older systems' SHA-1 one may precede it. */
function directoryOffset(signature: Buffer): number {
  for (let at = 12; at < 12 + signature.readUInt32BE(8) * 8; at += 8) {
    const offset = signature.readUInt32BE(at + 4);
    if (signature.readUInt32BE(offset) === CODE_DIRECTORY && signature[offset + 37] === HASH_SHA256)
      return offset;
  }
  throw new Error("The signature has no directory of page hashes.");
}
