/** HEAD in /openapi.json: as GET, without bodies. */
import { headers } from './described-headers.ts'
import type { OperationObject, ResponseObject } from './types.ts'

export function headOf({ operationId, summary, responses, ...rest }: OperationObject): OperationObject {
  return {
    ...rest,
    operationId: `${operationId}Head`,
    summary: `${summary}: the headers alone`,
    responses: Object.fromEntries(
      Object.entries(responses).map(([status, answer]) => [
        status,
        '$ref' in answer ? { $ref: `${answer.$ref}Head` } : withoutBody(answer),
      ]),
    ),
  }
}

/** Answers that many operations refer to, each with the one that HEAD has in its place. */
export function withHeadResponses(
  answers: Readonly<Record<string, ResponseObject>>,
): Readonly<Record<string, ResponseObject>> {
  const entries = Object.entries(answers)
  return Object.fromEntries(
    entries.flatMap(([name, answer]) => [[name, answer] as const, [`${name}Head`, withoutBody(answer)] as const]),
  )
}

function withoutBody({ description, headers: own }: ResponseObject): ResponseObject {
  return { description, headers: { ...own, ...headers('Content-Length') } }
}
