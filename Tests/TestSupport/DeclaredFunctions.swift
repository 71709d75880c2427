import Foundation

/// The public functions that the Swift files of a folder of `Sources` and its folders declare, as `name(label:label:)`; operators
/// carry the types of their operands instead: `+(Tensor, Float)`.
///
/// Tests compare it with their tables, so that a new operation without a test fails.
///
/// With `file` only that file of the folder is read.
public func declaredFunctions(in folder: String, file: String? = nil) throws -> Set<String> {
    let root = sources.appending(path: folder)
    var found: Set<String> = []
    let names = try file.map { [$0] } ?? FileManager.default.subpathsOfDirectory(atPath: root.path)
    for name in names where name.hasSuffix(".swift") {
        let text = try String(contentsOf: root.appending(path: name), encoding: .utf8)
        found.formUnion(functions(in: text[...], /\n *public (?:static )?(?:prefix )?func ([^( <]+) ?(?:<[^(]*>)?\(/))
    }
    return found
}

/// The functions that a protocol of a Swift file of `Sources` requires, as ``declaredFunctions(in:)`` spells them.
public func requirements(of name: String, file: String) throws -> Set<String> {
    let text = try String(contentsOf: sources.appending(path: file), encoding: .utf8)
    guard let start = text.range(of: "protocol \(name)"),
        let end = text.range(of: "\n}", range: start.upperBound..<text.endIndex)
    else { return [] }
    return functions(in: text[start.upperBound..<end.lowerBound], /\n *func ([^( <]+) ?(?:<[^(]*>)?\(/)
}

private let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources")

private func functions(in text: Substring, _ pattern: Regex<(Substring, Substring)>) -> Set<String> {
    var found: Set<String> = []
    for match in text.matches(of: pattern) {
        let parameters = topLevelParts(of: text[match.range.upperBound...])
        if match.1.first!.isLetter {
            let labels = parameters.map { $0.prefix { $0 != " " && $0 != ":" } + ":" }
            found.insert("\(match.1)(\(labels.joined()))")
        } else {
            let types = parameters.map { $0.drop { $0 != ":" }.dropFirst().trimmingCharacters(in: .whitespaces) }
            found.insert("\(match.1)(\(types.joined(separator: ", ")))")
        }
    }
    return found
}

/// Compares the declarations that the rows of a table cover with those of a folder of `Sources`: what has no row, and rows of
/// what is gone. Throws when the folder declares fewer than `minimum`, so that a pattern that fits nothing is seen.
public func coverage(
    of rows: [[String]], in folder: String, atLeast minimum: Int
) throws -> (withoutRow: [String], gone: [String]) {
    let declared = try declaredFunctions(in: folder)
    guard declared.count >= minimum else { throw TooFewDeclarations(folder: folder, count: declared.count) }
    let covered = Set(rows.joined())
    return (declared.subtracting(covered).sorted(), covered.subtracting(declared).sorted())
}

/// A folder whose declarations were not found.
public struct TooFewDeclarations: Error {
    /// The folder of `Sources`.
    public let folder: String
    /// How many were found.
    public let count: Int
}

/// Splits a parameter list, from behind its opening to its closing parenthesis, at its own commas.
private func topLevelParts(of text: Substring) -> [String] {
    var depth = 0
    var parts = [""]
    for character in text {
        switch character {
        case "(", "[": depth += 1
        case ")", "]":
            if depth == 0 {
                return parts.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
            }
            depth -= 1
        default: break
        }
        if character == ",", depth == 0 { parts.append("") } else { parts[parts.count - 1].append(character) }
    }
    return parts
}
