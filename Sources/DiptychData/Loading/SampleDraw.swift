public import InContextEdit
import TensorCore
import TensorIO

/// Which pair is drawn, with which words, and what of its pictures.
public struct SampleDraw: Sendable, Hashable {
    /// The pair.
    public var index: Int
    /// The prompt.
    public var prompt: String
    /// The part of the pictures.
    public var view: PanelView

    /// Describes a draw.
    public init(index: Int, prompt: String, view: PanelView = .whole) {
        self.index = index
        self.prompt = prompt
        self.view = view
    }
}

/// How pairs are drawn: which of several instructions, which part of the pictures.
public struct DrawOptions: Sendable, Hashable {
    /// Which of a pair's instructions is taken.
    public enum Instruction: String, Sendable, CaseIterable, Codable {
        /// `instruction`, or the first of a list.
        case first
        /// One of the list, drawn anew every time.
        case random
    }

    /// How an instruction becomes a prompt.
    public var promptForm = PromptForm.inContext
    /// Which of several instructions is taken.
    public var instruction = Instruction.first
    /// The probability that a pair is mirrored, where its list says `mirrorable` or its words are all known to be safe.
    public var mirror = 0.0
    /// The least share of a picture's sides that a random crop keeps; 1 keeps all.
    public var cropScale = 1.0
    /// What the draws depend on.
    public var seed: UInt64 = 0

    /// The first instruction, whole pictures.
    public init() {}

    /// Whether pictures change from draw to draw.
    public var variesPictures: Bool { mirror > 0 || cropScale < 1 }

    /// Every prompt that a pair may be drawn with, for panels that lie so. Throws `PromptError` when a field is missing.
    public func prompts(of record: PairRecord, panelLayout: PanelLayout) throws(PromptError) -> [String] {
        guard instruction == .random, !record.instructions.isEmpty else {
            return [try promptForm.prompt(record.fields, panelLayout: panelLayout)]
        }
        var prompts: [String] = []
        for instruction in record.instructions {
            var fields = record.fields
            fields.instruction = instruction
            prompts.append(try promptForm.prompt(fields, panelLayout: panelLayout))
        }
        return prompts
    }

    /// The draw of a pair at a place of the order, a function of these alone. Throws `PromptError`.
    public func draw(
        _ record: PairRecord, panelLayout: PanelLayout, index: Int, epoch: Int, position: Int
    ) throws(PromptError) -> SampleDraw {
        let prompts = try prompts(of: record, panelLayout: panelLayout)
        if prompts.count == 1, !variesPictures { return SampleDraw(index: index, prompt: prompts[0]) }
        var random = Random.counted(seed: seed, stream: 0xD1F7 + UInt64(epoch), index: position)
        let choice = random.integer(below: prompts.count)
        var view = PanelView.whole
        if cropScale < 1 {
            view.scale = cropScale + (1 - cropScale) * random.uniformDouble()
            (view.x, view.y) = (random.uniformDouble(), random.uniformDouble())
        }
        let mirrors = random.uniformDouble() < mirror
        view.isMirrored = mirrors && MirrorRule.verdict(record).allows
        return SampleDraw(index: index, prompt: prompts[choice], view: view)
    }
}
