import ArgumentParser
import Foundation
import Training

/// An adapter and its strength as the command line names them: `style.safetensors:0.8`.
struct AdapterArgument: ExpressibleByArgument, Equatable {
    let source: AdapterSource
    /// What is wrong with the strength, if anything.
    let fault: String?

    /// What stands behind the last colon is the strength, unless a file has the whole for its name or it goes on as a path
    /// does.
    init(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), !FileManager.default.fileExists(atPath: argument),
            case let word = argument[argument.index(after: colon)...], !Self.isPath(word)
        else {
            (source, fault) = (AdapterSource(argument), nil)
            return
        }
        let number = Float(word).flatMap { $0.isFinite ? $0 : nil }
        source = AdapterSource(String(argument[..<colon]), strength: number ?? 1)
        fault =
            number == nil
            ? "--adapter: expected a number behind the colon, a strength such as 0.8, found '\(word)' in '\(argument)'"
            : nil
    }

    private static func isPath(_ word: Substring) -> Bool {
        word.contains("/") || word.hasSuffix(".safetensors") || word.hasSuffix(".h5")
    }
}
