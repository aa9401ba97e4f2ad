import type { InputReader } from "../cli/argument.ts";
import type { Acts } from "../core/acts.ts";
import type { ApiHost } from "../core/api/host.ts";
import { Config, missingSigner, stateDirectory } from "../core/auth/config.ts";
import { parseEndpoint } from "../core/auth/endpoint.ts";
import type { ProgramHost } from "../core/auth/program.ts";
import type { DeviceHost } from "../core/device/transport.ts";
import type { DoctorHost } from "../core/doctor.ts";
import { type FreshnessHost, inspectVersion, requireCurrent } from "../core/release/gate.ts";
import { NPM_REGISTRY, RELEASE_KEY, RELEASES_URL } from "../core/release/names.ts";
import type { Addresses } from "../core/release/sources.ts";
import type { UpgradeHost } from "../core/release/upgrade.ts";
import type { KeyHolder, Keyring } from "../core/signing/keyring.ts";
import { withLock } from "../core/state/lock.ts";
import { SessionStore } from "../core/state/session.ts";
import { CliError } from "../errors.ts";
import {
  ensurePrivateDirectory,
  readInputFile,
  readStdin,
  sweepLeftovers,
  writeNewFile,
} from "../io/files.ts";
import { errnoOf } from "../io/ioerror.ts";
import type { Redactor } from "../io/redact.ts";
import { CHANNEL, PROGRAM, TARGET, VERSION } from "../version.ts";
import type { Capabilities, Context, Device, Providers, RunParts, Skills } from "../world.ts";

/** The configuration of one run; tells the redactor each secret. */
export function createConfig(context: Context, redactor: Redactor): Config {
  return new Config({
    env: context.env,
    readFile: (path, maxBytes) => readInputFile(path, maxBytes),
    learn: (secret) => redactor.learn(secret),
  });
}

const USER_AGENT = `${PROGRAM}/${VERSION}`;

/**
 * The version gate, before anything that a command needs is made (VER-5). Throws VERSION_OUTDATED,
 * and the codes of a mirror or proxy.
 */
export function passGate(
  context: Context,
  config: Config,
  parts: Pick<RunParts, "log" | "stop">,
): Promise<void> {
  return requireCurrent(freshnessHost(context, config, parts));
}

function freshnessHost(
  context: Context,
  config: Config,
  { log, stop }: Pick<RunParts, "log" | "stop">,
): FreshnessHost {
  const { fetch, now, uid } = context;
  return {
    version: VERSION,
    channel: CHANNEL,
    directory: () => stateDirectory(context.env, context.home, context.platform),
    addresses: () => releaseAddresses(config),
    sources() {
      config.checkProxies();
      return import("../core/release/sources.ts");
    },
    ...{ fetch, now, uid, log, stop, userAgent: USER_AGENT },
  };
}

/**
 * Where newer versions are looked for: the published places, or the mirrors that are configured.
 * Throws INVALID_URL, INSECURE_URL.
 */
function releaseAddresses(config: Config): Addresses {
  const place = (name: "NPM_REGISTRY" | "RELEASES_URL", published: string): string => {
    const { origin, basePath } = parseEndpoint(
      config.plain(name) ?? published,
      `LEDGER_ENTERPRISE_${name}`,
    );
    return `${origin}${basePath}`;
  };
  return {
    registry: place("NPM_REGISTRY", NPM_REGISTRY),
    releases: place("RELEASES_URL", RELEASES_URL),
  };
}

async function openUpgrades(context: Context, config: Config, { log, stop }: RunParts) {
  config.checkProxies();
  const { check, upgrade } = await import("../core/release/upgrade.ts");
  const { fetch, now, executable, platform } = context;
  const host: UpgradeHost = {
    ...{
      version: VERSION,
      channel: CHANNEL,
      target: TARGET,
      releaseKey: RELEASE_KEY,
      userAgent: USER_AGENT,
    },
    ...{ fetch, now, executable, platform, log, stop },
    addresses: releaseAddresses(config),
  };
  return { host, check, upgrade };
}

/** How each capability of this run is made; what several need is made once. */
export function createProviders(context: Context, config: Config, parts: RunParts): Providers {
  const once = <T>(make: () => T): (() => T) => {
    let made: { value: T } | undefined;
    return () => {
      made ??= { value: make() };
      return made.value;
    };
  };
  const directory = once(() => stateDirectory(context.env, context.home, context.platform));
  const sessions = once(() => createSessions(context, directory(), parts));
  const host = once((): ApiHost => {
    config.checkProxies();
    const { fetch, now, sleep } = context;
    const { log, stop, redactor } = parts;
    return {
      fetch,
      now,
      sleep,
      userAgent: USER_AGENT,
      config,
      sessions: sessions(),
      log,
      stop,
      redactor,
    };
  });
  const files = { writeNew: writeNewFile };
  const key = once(() => openKey(context, config, parts));
  const acts = once(() => openActs(parts));
  config.secretCommand = async (text, field, environment) => {
    const [{ parseProgram, withEnvironment }, { secretFrom }] = await Promise.all([
      import("../core/auth/program.ts"),
      import("../core/auth/secretcommand.ts"),
    ]);
    const program = withEnvironment(parseProgram(text, field), environment);
    return secretFrom(program, field, programHost(context, parts));
  };
  return {
    reader: async () => (await import("../core/api/api.ts")).createReader(host()),
    api: async () => (await import("../core/api/api.ts")).createApi(host(), await acts()),
    draft: async () => (await import("../core/api/api.ts")).createDraft(host()),
    sessions,
    host,
    config: () => config,
    logins: async () => ({
      ...(await import("../core/login/api.ts")),
      ...(await import("../core/auth/reporting.ts")),
    }),
    approval: () => import("../core/signing/approval.ts"),
    notifications: () => import("../core/notifications/signature.ts"),
    records: async () => {
      const { Records } = await import("../core/state/records.ts");
      return new Records({
        directory: directory(),
        now: context.now,
        uid: context.uid,
        log: parts.log,
      });
    },
    keyring: async () => openKeyring(await key(), await acts()),
    publicKey: () => async () => (await key()).publicKey(),
    signerKey: () => () => askSignerKey(context, config, parts),
    device: () => () => openDevice(deviceHost(context, directory(), parts)),
    log: () => parts.log,
    clock: () => ({ now: context.now, sleep: context.sleep, stop: parts.stop }),
    files: () => files,
    registry: () => parts.registry(),
    jsonSchema: () => async () => (await import("../cli/jsonschema.ts")).toJsonSchema,
    completion: () => async () => (await import("../cli/completion/shells.ts")).SHELLS,
    skills: () => createSkills(context.home),
    diagnosis: () => async () => {
      const [{ askSigner, examine }, { inspectKnown }] = await Promise.all([
        import("../core/doctor.ts"),
        import("../core/skill/install.ts"),
      ]);
      const { bundledSkill } = await import("../core/skill/content.ts");
      const doctorHost: DoctorHost = {
        config,
        uid: context.uid,
        now: context.now,
        versions: () => inspectVersion(freshnessHost(context, config, parts)),
        stateDirectory: directory,
        session: async () => sessions().read(),
        publicKey: async () => (await key()).publicKey(),
        signerKey: () => askSignerKey(context, config, parts),
        api: host,
        skills: () => inspectKnown(bundledSkill(), context.home),
        device: async () =>
          (await import("../core/device/reach.ts")).inspectDevice(
            deviceHost(context, directory(), parts),
          ),
      };
      return { host: doctorHost, examine, askSigner };
    },
    upgrades: () => () => openUpgrades(context, config, parts),
    sandbox: () => openSandbox,
  };
}

/** What writes and signatures pass; its stages are made with the first of them. */
async function openActs({ command, deeds }: RunParts): Promise<Acts> {
  const { Acts, NO_STAGES } = await import("../core/acts.ts");
  return new Acts({ command, deeds, stages: async () => NO_STAGES });
}

/** What holds the operator's key: the configuration itself, or a program that it names. */
async function openKey(context: Context, config: Config, parts: RunParts): Promise<KeyHolder> {
  const { configuredKey } = await import("../core/signing/keyring.ts");
  const program = config.signer();
  if (program === undefined && config.publicKey() === undefined)
    return configuredKey(config, parts.redactor);
  const { externalKey, statedKey } = await import("../core/signing/externalkey.ts");
  return program === undefined
    ? statedKey(config, configuredKey(config, parts.redactor))
    : externalKey(config, program, programHost(context, parts));
}

/** The public key of what the external signer holds, once the configured one, if any, agrees. */
async function askSignerKey(
  context: Context,
  config: Config,
  parts: RunParts,
): Promise<Uint8Array> {
  const program = config.signer();
  if (program === undefined) throw missingSigner();
  const { externalKey } = await import("../core/signing/externalkey.ts");
  return externalKey(config, program, programHost(context, parts)).ask();
}

function programHost({ uid }: Context, { stop, redactor, patiently }: RunParts): ProgramHost {
  return { uid, stop, patiently, clean: (text) => redactor.clean(text) };
}

async function openKeyring(holder: KeyHolder, acts: Acts): Promise<Keyring> {
  const { Keyring } = await import("../core/signing/keyring.ts");
  return new Keyring(holder, acts);
}

/** Throws INVALID_ARGUMENT with every fault of the seed, IO_ERROR when the port cannot be had. */
const openSandbox: Capabilities["sandbox"] = async (options) => {
  const { InvalidSeed, startSandbox } = await import("../sandbox/index.ts");
  try {
    return await startSandbox(options);
  } catch (cause) {
    if (cause instanceof InvalidSeed) {
      const message = "--seed is no workspace that can be served.";
      throw new CliError("INVALID_ARGUMENT", {
        message,
        field: "--seed",
        details: { issues: cause.issues },
        cause,
      });
    }
    const reason = errnoOf(cause);
    if (reason === "") throw cause;
    throw new CliError("IO_ERROR", {
      message: "The sandbox cannot listen on that port.",
      hint: "Choose another --port, or leave it out to get a free one.",
      field: "--port",
      details: { reason },
      cause,
    });
  }
};

function createSkills(home: string | undefined): Skills {
  const load = () =>
    Promise.all([import("../core/skill/content.ts"), import("../core/skill/install.ts")]);
  return {
    home,
    bundled: async () => (await load())[0].bundledSkill(),
    async inspect(directory) {
      const [{ bundledSkill }, { inspect }] = await load();
      return inspect(bundledSkill(), directory);
    },
    async install(target, force) {
      const [{ bundledSkill }, { install }] = await load();
      return install(bundledSkill(), target, force);
    },
  };
}

function createSessions(context: Context, directory: string, parts: RunParts): SessionStore {
  const { pid, hostname: host, now, sleep, isAlive } = context;
  return new SessionStore({
    directory,
    uid: context.uid,
    redactor: parts.redactor,
    now,
    prepareDirectory: async () => {
      await ensurePrivateDirectory(directory, context.uid);
      await sweepLeftovers(directory, now);
    },
    locked: (work, done) =>
      withLock(
        `${directory}/session.lock`,
        { clock: now, sleep, pid, host, isAlive, signal: parts.stop },
        work,
        done,
      ),
  });
}

function deviceHost(context: Context, directory: string, parts: RunParts): DeviceHost {
  const { pid, hostname: host, now, sleep, isAlive } = context;
  const options = { clock: now, sleep, pid, host, isAlive, signal: parts.stop, timeoutMs: 0 };
  return {
    usb: async () => (await import("../core/device/addon.ts")).loadUsb(),
    now,
    sleep,
    log: parts.log,
    stop: parts.stop,
    patiently: parts.patiently,
    async alone(work) {
      await ensurePrivateDirectory(directory, context.uid);
      let isHeld = false;
      const held = (): ReturnType<typeof work> => {
        isHeld = true;
        return work();
      };
      return withLock(`${directory}/device.lock`, options, held).catch((cause: unknown) => {
        if (isHeld || !(cause instanceof CliError) || cause.code !== "LOCK_TIMEOUT") throw cause;
        const { details } = cause.facts;
        throw new CliError("DEVICE_BUSY", {
          message: "Another process of this program uses the device.",
          details,
          cause,
        });
      });
    },
  };
}

async function openDevice(host: DeviceHost): Promise<Device> {
  const [{ loginWithDevice }, { approveWithDevice }] = await Promise.all([
    import("../core/device/login.ts"),
    import("../core/device/approve.ts"),
  ]);
  return {
    login: (api, request) => loginWithDevice(api, host, request),
    approve: (api, request) => approveWithDevice(api, host, request),
  };
}

/**
 * Reads `@file` and `-`; never a file that holds a configured secret; standard input once, and
 * never from a terminal (C19).
 */
export function createInputReader(
  context: Context,
  config: Config,
  redactor: Redactor,
  stop: AbortSignal,
): InputReader {
  let used = false;
  return {
    mayQuote: (text) => redactor.clean(text) === text,
    file: (path, maxBytes) => readInputFile(path, maxBytes, config.secretFiles()),
    stdin(maxBytes) {
      if (used)
        throw new CliError("INVALID_ARGUMENT", {
          message: "Standard input can be read by one option only.",
        });
      used = true;
      return readStdin(context.stdin, maxBytes, stop);
    },
  };
}
