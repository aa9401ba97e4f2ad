/** What the program or a server answered, for tests that look into it member by member. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the shape that it asked for.
export type Answer = any;
