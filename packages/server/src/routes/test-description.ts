/** The description of the API as a contract: what it says an answer looks like, and whether one does. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'vitest'

export interface Media {
  readonly schema: object
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

type Content = Readonly<Record<string, Media>>

export interface Operation {
  readonly security?: readonly Readonly<Record<string, unknown>>[]
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}

interface Asked {
  request(path: string): Response | Promise<Response>
}

/** As the server itself answers it. */
export async function readDescription(app: Asked) {
  const { paths, components } = (await (await app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, Operation>>
    components: object
  }
  /** By their name, `GET /v1/state`. */
  const operations = new Map<string, Operation>(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
    ),
  )
  const ajv = new Ajv2020({
    allowUnionTypes: true,
    formats: {
      date: /^\d{4}-\d\d-\d\d$/,
      'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
      email: /^\S+@\S+$/,
    },
  })
  ajv.addVocabulary(['components', 'example'])
  const compiled = new Map<object, ValidateFunction>()

  /** What is wrong with a value; null for nothing. */
  const faultOf = (schema: object, value: unknown): string | null => {
    const validate = compiled.get(schema) ?? ajv.compile({ ...schema, components })
    compiled.set(schema, validate)
    return validate(value) ? null : ajv.errorsText(validate.errors)
  }

  /** The answer has a status, a type and a body that the route is described with. Answers the body. */
  async function expectDescribed(route: string, response: Response): Promise<unknown> {
    const { status } = response
    const described = operations.get(route)?.responses[status]
    expect(described, `${route} is described with ${status}`).toBeDefined()
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';')
    const media = described?.content?.[type]
    expect(media, `${route} ${status} is described with ${type}`).toBeDefined()
    const text = await response.text()
    const body: unknown = /[/+]json$/.test(type) ? JSON.parse(text) : text
    expect([route, status, type, faultOf(media!.schema, body)]).toEqual([route, status, type, null])
    return body
  }

  return { operations, faultOf, expectDescribed }
}

/** All that an operation takes and answers, each with where it stands. */
export const mediaOf = (route: string, { requestBody, responses }: Operation): [where: string, media: Media][] => [
  ...Object.entries(requestBody?.content ?? {}).map(([type, media]): [string, Media] => [
    `${route} takes ${type}`,
    media,
  ]),
  ...Object.entries(responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content).map(([type, media]): [string, Media] => [`${route} ${status} ${type}`, media]),
  ),
]

export const examplesOf = ({ example, examples = {} }: Media): unknown[] => [
  ...(example === undefined ? [] : [example]),
  ...Object.values(examples).map(({ value }) => value),
]
