/** The bundled skill and its copies on this machine. */
import type { Target } from "../../core/skill/targets.ts";

/** The bundled skill and its copies; loaded when it is asked for. */
export function skillsOf(home: string | undefined) {
  const load = () =>
    Promise.all([import("../../core/skill/content.ts"), import("../../core/skill/install.ts")]);
  return {
    home,
    bundled: async () => (await load())[0].bundledSkill(),
    async inspect(directory: string) {
      const [{ bundledSkill }, { inspect }] = await load();
      return inspect(bundledSkill(), directory);
    },
    async install(target: Target, force: boolean) {
      const [{ bundledSkill }, { install }] = await load();
      return install(bundledSkill(), target, force);
    },
  };
}
