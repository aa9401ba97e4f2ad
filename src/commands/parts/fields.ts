/**
 * What the schemas of the API's objects are made of. They name the fields that this program reads
 * or promises and are always loose: the API's own fields are relayed, and unknown ones survive.
 * Names and nullability come from the V2 document; a field is optional where versions of it differ,
 * and where V1 has another name.
 */
import * as v from "valibot";

const text = v.string();
/** A text that may be absent. */
export const given = v.optional(text);
/** A text that may be absent or null. */
export const maybe = v.optional(v.nullable(text));
/** A number that may be absent or null. */
export const whole = v.optional(v.nullable(v.number()));
/** When an object was made and changed, as either API version names it. */
export const times = { createdAt: given, updatedAt: given, created_on: given };
/** The ids of an object; V1's are numbers. */
export const base = { id: v.union([text, v.number()]), legacyId: v.optional(v.number()) };
