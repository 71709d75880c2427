/// The ways to tell the model what to do; the names are those of configurations.
public enum PromptForm: String, Sendable, Codable, CaseIterable {
    /// ICEdit's diptych sentence around the instruction; also the adapter's trigger.
    case inContext = "in_context"
    /// The bare instruction.
    case direct
    /// A description of both panels, for the text-to-image framework.
    case descriptive
    /// The captions of both panels.
    case globalCaptions = "global_captions"
}

/// What is known about an edit; which fields are needed depends on the ``PromptForm``.
public struct PromptFields: Sendable, Hashable {
    /// What to change: `make the cat blue`.
    public var instruction: String
    /// What the picture shows in a word or two: `cat`.
    public var subject: String?
    /// The original described: `a ginger cat on a rug`.
    public var description: String?
    /// A caption of the source.
    public var inputCaption: String?
    /// A caption of the edited picture.
    public var outputCaption: String?

    /// Collects the fields.
    public init(
        instruction: String, subject: String? = nil, description: String? = nil, inputCaption: String? = nil,
        outputCaption: String? = nil
    ) {
        self.instruction = instruction
        self.subject = subject
        self.description = description
        self.inputCaption = inputCaption
        self.outputCaption = outputCaption
    }
}

/// A field that a prompt form needs and an edit lacks.
public struct PromptError: Error, CustomStringConvertible, Equatable {
    /// The form.
    public let form: PromptForm
    /// The missing field, as metadata files spell it.
    public let field: String
    /// One line.
    public var description: String { "the prompt form '\(form.rawValue)' needs the field '\(field)', which is missing" }
}

extension PromptForm {
    /// The words before the instruction in the in-context form.
    public static func trigger(_ panelLayout: PanelLayout) -> String {
        let (layout, source, edited) = panelLayout.words
        return "A diptych with two \(layout) images of the same scene. "
            + "On the \(edited), the scene is exactly the same as on the \(source) but "
    }

    /// Whether an instruction has the words before it already, in part or whole, for panels that lie in either way.
    public static func repeatsTrigger(_ instruction: String) -> Bool { withoutTrigger(instruction) != instruction }

    /// An instruction without the sentences of ``trigger(_:)``, however they are capitalised and spaced: they are said once.
    static func withoutTrigger(_ instruction: String) -> String {
        // Shorter than the shortest of the sentences.
        if instruction.utf8.count < 48 { return instruction }
        var words = instruction.split(whereSeparator: \.isWhitespace)
        let count = words.count
        for panelLayout in [PanelLayout.beside, .stacked] {
            let (layout, source, edited) = panelLayout.words
            for sentence in [
                "a diptych with two \(layout) images of the same scene.",
                "on the \(edited), the scene is exactly the same as on the \(source) but",
            ] {
                let sentence = sentence.split(separator: " ")
                var start = 0
                while start + sentence.count <= words.count {
                    let end = start + sentence.count
                    if zip(words[start..<end], sentence).allSatisfy({ $0.lowercased() == $1 }) {
                        words.removeSubrange(start..<end)
                    } else {
                        start += 1
                    }
                }
            }
        }
        // An instruction of nothing else is left alone.
        return words.count == count || words.isEmpty ? instruction : words.joined(separator: " ")
    }

    /// The prompt of an edit whose panels lie so; an instruction that has this form's own sentence does not get it again.
    /// Throws ``PromptError`` when a field that this form needs is missing.
    public func prompt(
        _ fields: PromptFields, panelLayout: PanelLayout = .beside
    ) throws(PromptError) -> String {
        let (layout, source, edited) = panelLayout.words
        switch self {
        case .inContext: return Self.trigger(panelLayout) + Self.withoutTrigger(fields.instruction)
        case .direct: return fields.instruction
        case .descriptive:
            let subject = try need(fields.subject, "subject")
            let description = try need(fields.description, "description")
            return "a \(layout) image of the same \(subject): the \(source) depicts the original \(description), "
                + "while the \(edited) mirrors the \(source) but applies \(fields.instruction)"
        case .globalCaptions:
            let input = try need(fields.inputCaption, "input_caption")
            let output = try need(fields.outputCaption, "output_caption")
            return "On the \(source) \(input) On the \(edited) \(output)"
        }
    }

    private func need(_ value: String?, _ field: String) throws(PromptError) -> String {
        guard let value else { throw PromptError(form: self, field: field) }
        return value
    }
}

extension PanelLayout {
    /// What prompts call the panel layout and the places of its panels; of `beside`, upstream's words.
    fileprivate var words: (layout: String, source: String, edited: String) {
        switch self {
        case .beside, .reference: ("side-by-side", "left", "right")
        case .stacked: ("vertically stacked", "top", "bottom")
        }
    }
}
