/** Names for the parts of an OpenAPI document. */
import type { DescribeRouteOptions, generateSpecs } from 'hono-openapi'

export type OpenApi = Awaited<ReturnType<typeof generateSpecs>>
export type Description = DescribeRouteOptions
export type Responses = NonNullable<DescribeRouteOptions['responses']>
export type Parameters = NonNullable<DescribeRouteOptions['parameters']>
