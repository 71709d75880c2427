import Foundation
import InContextEdit
import TensorIO

/// What a file of a pair is, as people name folders and files.
enum PairRole: String, Sendable, CaseIterable {
    case source, target, instruction, mask

    /// The names that stand for it. ai-toolkit and musubi-tuner call sources controls, SimpleTuner references and
    /// conditioning.
    private var names: Set<String> {
        switch self {
        case .source: ["source", "control", "reference", "conditioning", "input", "before", "original", "start"]
        case .target: ["target", "edited", "output", "after", "result", "end"]
        case .instruction: ["instruction", "caption", "prompt", "text"]
        case .mask: ["mask"]
        }
    }

    /// Whether a word is a name of it, in any case and number: `Source`, `sources`. Where the dataset has a name of its own
    /// for it, that alone is.
    func isNamed(_ word: String, _ reading: PairReading) -> Bool {
        if let own = reading.columns[rawValue] { return word == own }
        let word = word.lowercased()
        return names.contains(word) || word.hasSuffix("s") && names.contains(String(word.dropLast()))
    }

    /// Whether a folder's name is one of it: as a word, or as a word and `images`, such as `reference-images`; `images`
    /// alone is a folder of targets.
    func isNamed(folder name: String, _ reading: PairReading) -> Bool {
        if isNamed(name, reading) { return true }
        guard reading.columns[rawValue] == nil else { return false }
        let lower = name.lowercased()
        for ending in ["images", "image", "pictures"] where lower.hasSuffix(ending) {
            let word = lower.dropLast(ending.count)
            if word.isEmpty { return self == .target }
            return "-_ ".contains(word.last!) && isNamed(String(word.dropLast()), reading)
        }
        return false
    }
}

/// The instruction of a pair in a text file, beside its pictures.
struct PairCaption {
    /// The ways to demand the edit, one a line.
    let instructions: [String]

    /// Reads a file. Throws `FileError` when it holds no text, or none in UTF-8.
    init(contentsOf path: String) throws(FileError) {
        let text = try TextFile(contentsOf: path, expected: "an instruction", maximumByteCount: 1 << 20)
        instructions = text.lines.map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        if instructions.isEmpty { throw FileError(path, expected: "an instruction", found: "an empty file") }
    }

    /// Takes the first of several names in a folder that there is a file of; nil when there is none.
    init?(firstOf names: [String], in folder: URL) throws(FileError) {
        for name in names {
            let path = PairListing.path(of: name, in: folder)
            guard FileManager.default.fileExists(atPath: path) else { continue }
            try self.init(contentsOf: path)
            return
        }
        return nil
    }

    /// A record of a pair that has nothing but pictures and this.
    func record(source: String, target: String) -> PairRecord {
        var record = PairRecord(source: source, target: target, fields: .init(instruction: instructions[0]))
        if instructions.count > 1 { record.instructions = instructions }
        return record
    }
}
