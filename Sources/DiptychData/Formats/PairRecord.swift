public import InContextEdit
import TensorIO

/// One line of `metadata.jsonl`, or one key of a shard: two pictures and what turns one into the other.
public struct PairRecord: Sendable, Hashable {
    /// The source picture, relative to the dataset's folder; in a shard, the member's name.
    public var source: String
    /// The edited picture, likewise.
    public var target: String
    /// The instruction and whatever else prompts may need.
    public var fields: PromptFields
    /// The kind of edit, for statistics: `remove`, `style`, ….
    public var task: String?
    /// Every way to demand the edit, where there are several; the first is `fields.instruction` unless that is given.
    public var instructions: [String] = []
    /// Whether the pair is as true in a mirror; where it is not said, the words decide.
    public var mirrorable: Bool?
    /// How well the target does what the instruction says, on the dataset's own scale.
    public var score: Double?

    /// Joins the parts of a record.
    public init(source: String, target: String, fields: PromptFields, task: String? = nil) {
        self.source = source
        self.target = target
        self.fields = fields
        self.task = task
    }

    static let requiredKeys = ["source", "target", "instruction"]
    static let optionalKeys = ["task", "subject", "description", "input_caption", "output_caption"]
    /// Every name that a dataset's own names can stand for.
    public static let columns = requiredKeys + ["mask", "instructions", "score", "mirrorable"] + optionalKeys

    /// The record as a JSON object, a line of a list.
    var json: JSONValue {
        JSONValue(fields: [
            "source": .string(source), "target": .string(target), "instruction": .string(fields.instruction),
            "task": task.map { .string($0) }, "subject": fields.subject.map { .string($0) },
            "description": fields.description.map { .string($0) },
            "input_caption": fields.inputCaption.map { .string($0) },
            "output_caption": fields.outputCaption.map { .string($0) },
            "instructions": instructions.isEmpty ? nil : .array(instructions.map { .string($0) }),
            "score": score.map { JSONValue($0) }, "mirrorable": mirrorable.map { .bool($0) },
        ])
    }

    init(_ object: [String: String], instructions: [String], score: Double?, mirrorable: Bool?) {
        self.init(
            source: object["source"] ?? "", target: object["target"] ?? "",
            fields: PromptFields(
                instruction: object["instruction"] ?? "", subject: object["subject"],
                description: object["description"], inputCaption: object["input_caption"],
                outputCaption: object["output_caption"]), task: object["task"])
        self.instructions = instructions
        self.score = score
        self.mirrorable = mirrorable
    }
}
