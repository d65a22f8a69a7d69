/** The application in this process, to the suites that hold any server against the contract. */
import type { Subject } from '../../conformance/kit/server/subject.ts'
import { newApp } from './api.ts'

/** A new application for each test, which lacks nothing. */
export const IN_PROCESS: Subject = { every: 1, mayLack: false, open: async () => newApp().api }
