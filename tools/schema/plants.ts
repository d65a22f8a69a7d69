/** Changes of the schema that buf must refuse, and some that it must take: the rules are known to bite. */

/** Question that is asked about a change: the rules of writing, or those of what has been published. */
export type Question = 'lint' | 'breaking'

export interface Plant {
  readonly what: string
  readonly file: 'meta.proto' | 'draws.proto' | 'npproto/ndarray.proto'
  /** Text of the schema that is there once, and the text in its place. */
  readonly from: string
  readonly to: string
  readonly asked: Question
  /** The rule that is broken; absent of a change that is taken. */
  readonly rule?: string
}

export const PLANTS: readonly Plant[] = [
  {
    what: 'a field has another number',
    file: 'draws.proto',
    from: 'bytes data = 3;',
    to: 'bytes data = 6;',
    asked: 'breaking',
    rule: 'FIELD_NO_DELETE',
  },
  {
    what: 'a field has another name',
    file: 'meta.proto',
    from: 'string rid = 1;\n  // Variables',
    to: 'string id = 1;\n  // Variables',
    asked: 'breaking',
    rule: 'FIELD_SAME_NAME',
  },
  {
    what: 'a field has another type',
    file: 'draws.proto',
    from: 'sint64 step = 5;',
    to: 'int64 step = 5;',
    asked: 'breaking',
    rule: 'FIELD_SAME_TYPE',
  },
  {
    what: 'a repeated field is single',
    file: 'npproto/ndarray.proto',
    from: 'repeated int64 strides = 4;',
    to: 'int64 strides = 4;',
    asked: 'breaking',
    rule: 'FIELD_SAME_CARDINALITY',
  },
  {
    what: 'a message has gone',
    file: 'meta.proto',
    from: 'message ChainMeta {',
    to: 'message ChainOfRun {',
    asked: 'breaking',
    rule: 'MESSAGE_NO_DELETE',
  },
  {
    what: 'a value has left its oneof',
    file: 'meta.proto',
    from: "  oneof kind {\n    // No value, said expressly: JSON's null.\n    google.protobuf.NullValue null_value = 1;",
    to: '  google.protobuf.NullValue null_value = 1;\n  oneof kind {',
    asked: 'breaking',
    rule: 'FIELD_SAME_ONEOF',
  },
  {
    what: 'Java classes of another package',
    file: 'draws.proto',
    from: 'option java_package = "mcbackend.edge";',
    to: 'option java_package = "org.example";',
    asked: 'breaking',
    rule: 'FILE_SAME_JAVA_PACKAGE',
  },
  {
    what: 'a new field',
    file: 'draws.proto',
    from: 'sint64 step = 5;',
    to: 'sint64 step = 5;\n  // Name of the writer.\n  string writer = 6;',
    asked: 'breaking',
  },
  {
    what: 'a field without a comment',
    file: 'draws.proto',
    from: '  // Number of iterations.\n',
    to: '',
    asked: 'lint',
    rule: 'COMMENT_FIELD',
  },
  {
    what: 'a message without a comment',
    file: 'meta.proto',
    from: '// Labels along one named dimension.\n',
    to: '',
    asked: 'lint',
    rule: 'COMMENT_MESSAGE',
  },
  {
    what: 'a name in camel case',
    file: 'draws.proto',
    from: 'uint32 count = 2;',
    to: 'uint32 drawCount = 2;',
    asked: 'lint',
    rule: 'FIELD_LOWER_SNAKE_CASE',
  },
  {
    what: 'files of one package, for Go in two',
    file: 'draws.proto',
    from: 'option go_package = "mcbackend-edge/protobufs/mcbackend";',
    to: 'option go_package = "mcbackend-edge/protobufs/draws";',
    asked: 'lint',
    rule: 'PACKAGE_SAME_GO_PACKAGE',
  },
]
