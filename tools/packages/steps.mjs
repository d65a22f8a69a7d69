// Steps of a test that is one program: each says its name, how long it took and how it ended.

/** Thrown by a step that cannot be done here. */
export class Skipped extends Error {}

export class Steps {
  passed = 0
  failed = 0
  skipped = 0

  /** Runs a step, which may give back what it has found out; failures are printed, and the next step follows. */
  async run(name, step) {
    const begun = performance.now()
    const end = (how, said) => {
      console.log(`   ${how} after ${((performance.now() - begun) / 1000).toFixed(1)} s`)
      if (typeof said === 'string') console.log(said.trim().replaceAll(/^/gm, '   '))
    }
    console.log(`== ${name}`)
    try {
      const said = await step()
      this.passed++
      end('ok', said)
      return true
    } catch (error) {
      if (error instanceof Skipped) {
        this.skipped++
        end('skipped', error.message)
        return false
      }
      this.failed++
      end('FAILED', String(error?.stack ?? error))
      return false
    }
  }

  /** A step without which there is no other. */
  async require(name, step) {
    if (!(await this.run(name, step))) this.finish()
  }

  finish() {
    console.log(`\npackages: ${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`)
    process.exit(this.failed > 0 ? 1 : 0)
  }
}

export function expect(what, isSo) {
  if (!isSo) throw new Error(what)
}
