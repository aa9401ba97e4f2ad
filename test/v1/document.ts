/** The vendor's V1 document, 332 KB, which is not part of this repository. */
import { parse } from "yaml";
import { notRun, textOf } from "../support/given.ts";

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly (string | null)[];
  readonly items?: Schema;
  readonly nullable?: boolean;
  readonly [other: string]: unknown;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<
    Record<string, { content?: { "application/json"?: { schema: Schema } } }>
  >;
}

export interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly [other: string]: unknown;
}

const TEXT = textOf("V1_DOCUMENT");

/** Undefined where the document is absent: tests that need it are skipped. */
export const DOCUMENT: Document | undefined =
  TEXT === undefined ? undefined : (parse(TEXT) as Document);

/** Behind the name of what is skipped. */
export const WITHOUT_DOCUMENT = DOCUMENT === undefined ? notRun("V1_DOCUMENT") : "";

export interface Listed {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Every operation in the order of the document. */
export function operationsOf({ paths }: Document): Listed[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => ["get", "post", "put", "delete", "patch"].includes(method))
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

/** A path as it is compared: names of its parameters do not count. */
export function bare(path: string): string {
  return path.replace(/\{\w+\}/g, "{}");
}

/** The operation of a real path, such as `/accounts/7`; literal segments come before parameters. */
export function operationAt(
  listed: readonly Listed[],
  method: string,
  path: string,
): Listed | undefined {
  const fits = listed.filter((one) => {
    const pattern = one.path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+");
    return one.method === method && new RegExp(`^${pattern}$`).test(path);
  });
  return fits.sort((a, b) => a.path.split("{").length - b.path.split("{").length)[0];
}
