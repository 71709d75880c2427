public import InContextEdit
public import Models
import Synchronization
import TensorCore
package import TensorIO

/// What happens to the pairs of a dataset on their way into a model that their maker may not expect: counted, each kind in
/// one line with an example. None of it is a fault; `data check`, `train` and `data encode` say the same words.
public struct PairNotes: Sendable {
    /// A pair as the notes see it.
    struct Pair {
        /// Its place in the dataset.
        var place: String
        var record: PairRecord
        /// The size of each picture that could be read, by its name.
        var sizes: [(name: String, size: PictureSize)]
        var shape: DiptychGeometry
    }

    /// How pairs become samples.
    public struct Settings: Sendable {
        /// How instructions become prompts, and whether pairs are mirrored.
        public var draws = DrawOptions()
        /// Text tokens of the long encoder.
        public var maximumSequenceLength = 512
        /// What tells the tokens of prompts; without it only what words alone are too many for is known.
        public var tokenizers: PromptTokenizers?

        /// The defaults of a run, without tokenizers.
        public init() {}
    }

    /// Proportions and sizes that are off by less than this are not worth a word.
    static let tolerance = 1.05

    /// One line a kind.
    public private(set) var lines: [String] = []

    /// What is worth a word of the pairs of a dataset, whose sizes are read from the pictures' headers.
    ///
    /// `transparentPictures` is how many pictures have transparent parts, where that is known.
    public init(_ dataset: PairDataset, _ shapes: PanelShapes, _ settings: Settings, transparentPictures: Int = 0) {
        let sizes = Mutex([[(name: String, size: PictureSize)]](repeating: [], count: dataset.records.count))
        parallelFor(dataset.records.count, grain: 16) { range in
            for i in range {
                guard let size = try? dataset.sizes(at: i) else { continue }
                sizes.withLock { $0[i] = [("source", size.source), ("target", size.target)] }
            }
        }
        let isOne = Set(dataset.files.map(\.list)).count == 1
        let found = sizes.withLock { $0 }
        let pairs = dataset.records.indices.map { i in
            let file = dataset.files[i]
            return Pair(
                place: isOne ? file.place : "\(file.list): \(file.place)", record: dataset.records[i],
                sizes: found[i], shape: shapes[i])
        }
        self.init(pairs, settings)
        add(transparent: transparentPictures, on: dataset.files.first?.reading.background ?? .white)
    }

    init(_ pairs: [Pair], _ settings: Settings) {
        guard !pairs.isEmpty else { return }
        addSizes(pairs)
        addSentences(pairs, settings.draws)
        addPrompts(pairs, settings)
        addMirror(pairs, settings.draws)
    }

    mutating func add(transparent count: Int, on background: ImageBackground) {
        if let line = Self.note(transparent: count, on: background) { lines.append(line) }
    }

    /// That pictures have transparent parts; nil when none has.
    package static func note(transparent count: Int, on background: ImageBackground) -> String? {
        guard count > 0 else { return nil }
        return "\(count) \(count == 1 ? "picture has" : "pictures have") transparent parts, laid on \(background) "
            + "(data.background)"
    }

    mutating func add(_ line: String) { lines.append(line) }

    // MARK: Pictures

    private mutating func addSizes(_ pairs: [Pair]) {
        var (squashed, enlarged): ([(Double, String)], [(Double, String)]) = ([], [])
        var other = 0
        for pair in pairs {
            let panel = PictureSize(pair.shape.panelWidth, pair.shape.panelHeight)
            var (stretch, growth): ((Double, String)?, (Double, String)?) = (nil, nil)
            for (name, size) in pair.sizes {
                let words = "\(pair.place): \(name), \(size) to \(panel)"
                let found = (Self.stretch(size, panel), Self.growth(size, panel))
                if found.0 > max(stretch?.0 ?? 0, Self.tolerance) { stretch = (found.0, words) }
                if found.1 > max(growth?.0 ?? 0, Self.tolerance) { growth = (found.1, words) }
            }
            if let stretch { squashed.append(stretch) }
            if let growth { enlarged.append(growth) }
            if pair.sizes.count == 2, pair.sizes[0].size != pair.sizes[1].size,
                PairRules.haveSameProportions(pair.sizes[0].size, pair.sizes[1].size)
            {
                other += 1
            }
        }
        if let most = squashed.max(by: { $0.0 < $1.0 }) {
            lines.append(
                "\(Self.share(squashed.count, pairs.count, "pair")) squashed to the panel's proportions, most by "
                    + "\(Self.factor(most.0)) (\(most.1)); data.buckets offers panels of several proportions")
        }
        if let most = enlarged.max(by: { $0.0 < $1.0 }) {
            lines.append(
                "\(Self.share(enlarged.count, pairs.count, "pair")) smaller than the panel and enlarged, most by "
                    + "\(Self.factor(most.0)) (\(most.1))")
        }
        if other > 0 {
            lines.append(
                "\(Self.share(other, pairs.count, "target")) of another size than the source, in the same proportions")
        }
    }

    /// By how much more one side is stretched than the other.
    static func stretch(_ size: PictureSize, _ panel: PictureSize) -> Double {
        let ratio = Double(panel.width * size.height) / Double(panel.height * size.width)
        return max(ratio, 1 / ratio)
    }

    /// By how much the side that grows more is enlarged.
    static func growth(_ size: PictureSize, _ panel: PictureSize) -> Double {
        max(Double(panel.width) / Double(size.width), Double(panel.height) / Double(size.height))
    }

    /// What an edit does to a picture of `width` x `height`, in the words of a dataset's notes; nil when nothing.
    package static func note(width: Int, height: Int, panelWidth: Int, panelHeight: Int) -> String? {
        let (size, panel) = (PictureSize(width, height), PictureSize(panelWidth, panelHeight))
        let (stretch, growth) = (stretch(size, panel), growth(size, panel))
        var parts: [String] = []
        if stretch > tolerance { parts.append("squashed to the panel's proportions by \(factor(stretch))") }
        if growth > tolerance { parts.append("enlarged by \(factor(growth))") }
        return parts.isEmpty ? nil : parts.joined(separator: " and ")
    }

    // MARK: Prompts

    private mutating func addSentences(_ pairs: [Pair], _ draws: DrawOptions) {
        guard draws.promptForm == .inContext else { return }
        let found = pairs.filter { pair in
            ([pair.record.fields.instruction] + pair.record.instructions).contains { PromptForm.repeatsTrigger($0) }
        }
        guard let first = found.first else { return }
        lines.append(
            "\(found.count) of \(pairs.count) instructions \(found.count == 1 ? "has" : "have") the sentence of the prompt "
                + "form in_context already, such as \(first.place); it is not said twice")
    }

    /// A pair's longest prompt.
    private struct Prompt {
        var place: String
        var text: String
    }

    private mutating func addPrompts(_ pairs: [Pair], _ settings: Settings) {
        let prompts = pairs.flatMap { pair in
            ((try? settings.draws.prompts(of: pair.record, panelLayout: pair.shape.panelLayout)) ?? []).map {
                Prompt(place: pair.place, text: $0)
            }
        }
        guard !prompts.isEmpty else { return }
        guard let tokenizers = settings.tokenizers else { return addLongPrompts(prompts, settings) }
        let cuts = Mutex((clip: [Int: CutPrompt](), t5: [Int: CutPrompt]()))
        parallelFor(prompts.count, grain: 16) { range in
            for i in range {
                let text = prompts[i].text
                let clip = tokenizers.cutByCLIP(text)
                let t5 = tokenizers.cutByT5(text, maximumLength: settings.maximumSequenceLength)
                if clip == nil, t5 == nil { continue }
                cuts.withLock { ($0.clip[i], $0.t5[i]) = (clip, t5) }
            }
        }
        let found = cuts.withLock { $0 }
        for (reader, cuts) in [("T5", found.t5), ("CLIP", found.clip)] {
            guard let first = cuts.min(by: { $0.key < $1.key }) else { continue }
            lines.append(
                "\(reader) reads the first \(first.value.limit) tokens of \(cuts.count) of \(prompts.count) prompts; "
                    + "lost in \(prompts[first.key].place): \(first.value.words)")
        }
    }

    /// Without tokenizers: a word has a token at least.
    private mutating func addLongPrompts(_ prompts: [Prompt], _ settings: Settings) {
        for (reader, limit, added) in [("T5", settings.maximumSequenceLength, 1), ("CLIP", 77, 2)] {
            let long = prompts.filter { $0.text.split(whereSeparator: \.isWhitespace).count > limit - added }
            guard let first = long.first else { continue }
            lines.append(
                "\(reader) reads the first \(limit) tokens of a prompt, and at least \(long.count) of \(prompts.count) "
                    + "prompts have more, such as \(first.place) (--base or --config tells which words are lost)")
        }
    }

    /// What text encoders do not read of one prompt, in the words of a dataset's notes.
    package static func notes(
        ofPrompt prompt: String, _ tokenizers: PromptTokenizers, maximumLength: Int
    ) -> [String] {
        [
            ("T5", tokenizers.cutByT5(prompt, maximumLength: maximumLength)),
            ("CLIP", tokenizers.cutByCLIP(prompt)),
        ].compactMap { reader, cut in
            cut.map {
                "\(reader) reads the first \($0.limit) of the prompt's \($0.tokenCount) tokens; lost: \($0.words)"
            }
        }
    }

    // MARK: Mirror

    private mutating func addMirror(_ pairs: [Pair], _ draws: DrawOptions) {
        guard draws.mirror > 0 else { return }
        var counts: [MirrorRule.Verdict: Int] = [:]
        for pair in pairs { counts[MirrorRule.verdict(pair.record), default: 0] += 1 }
        let (said, safe) = (counts[.said] ?? 0, counts[.safeWords] ?? 0)
        let (forbidden, unknown) = (counts[.forbidden] ?? 0, counts[.unknownWords] ?? 0)
        lines.append(
            "\(said + safe) of \(pairs.count) pairs may be mirrored (data.mirror): \(said) by their key mirrorable, \(safe) by "
                + "their words; \(forbidden) say that they may not, and \(unknown) have words that are not known to be safe"
        )
    }

    // MARK: Words

    private static func share(_ count: Int, _ total: Int, _ noun: String) -> String {
        "\(count) of \(total) \(noun)s \(count == 1 ? "is" : "are")"
    }

    private static func factor(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
