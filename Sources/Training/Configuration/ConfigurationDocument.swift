import TensorIO
import Yams

/// A YAML text as a tree, or why it is none.
struct ConfigurationDocument {
    private(set) var root: Node?
    private(set) var faults: [ConfigurationError.Fault] = []
    /// Keys that stand twice in one mapping; the tree holds the last of each.
    private(set) var duplicates: [ConfigurationEvents.Duplicate] = []

    init(_ text: String, file: String) {
        // Joined again by line feeds alone, so that a line has one number for us and for the parser.
        let text = TextFile.lines(of: text).joined(separator: "\n")
        do {
            duplicates = try ConfigurationEvents(text).duplicates
        } catch {
            faults = [.init(file, line: error.line, column: error.column, message: error.message)]
            return
        }
        // Between braces a comma would be left over; what else is wrong in such a text is found once it is mended.
        guard !duplicates.contains(where: \.isInFlow) else { return }
        do {
            root = try Yams.compose(yaml: Self.text(text, without: duplicates), .default, .default, .utf8)
        } catch  where duplicates.isEmpty {
            faults.append(.init(file, message: "expected YAML, found a fault: \(error)"))
        } catch {
            // What was taken out may have had an anchor that is needed.
        }
    }

    /// The text with the earlier ones of two keys and their values blanked, so that the faults further down are found
    /// too, each on its line.
    private static func text(_ text: String, without duplicates: [ConfigurationEvents.Duplicate]) -> String {
        if duplicates.isEmpty { return text }
        var scalars = Array(text.unicodeScalars)
        for duplicate in duplicates {
            for place in duplicate.earlier.clamped(to: scalars.indices) where !isLineEnd(scalars[place]) {
                scalars[place] = " "
            }
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        ["\n", "\u{85}", "\u{2028}", "\u{2029}"].contains(scalar)
    }
}
