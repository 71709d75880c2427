import Foundation
import FuzzTargets

/// Runs a parser's inputs in a process of their own, keeps what breaks it, and goes on behind it.
struct FuzzSupervisor {
    private let name: String
    private let seed: UInt64
    private let count: Int
    private let crashes: String
    /// After so many a parser is given up.
    private static let mostCrashes = 20

    init(_ name: String, seed: UInt64, count: Int, crashes: String) {
        self.name = name
        self.seed = seed
        self.count = count
        self.crashes = crashes
    }

    func run() throws -> FuzzResult {
        var total = FuzzResult()
        var round: UInt64 = 0
        while total.count < count, total.crashes.count < Self.mostCrashes {
            let record = FileManager.default.temporaryDirectory.appending(path: "diptych-fuzz-\(UUID().uuidString)")
                .path
            defer { try? FileManager.default.removeItem(atPath: record) }
            let process = Process()
            process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            // Another round begins with other inputs: the same ones would end at the same place.
            process.arguments = [
                "--worker", name, "--seed", "\(seed &+ round &* 1_000_003)", "--count", "\(count - total.count)",
                "--record", record,
            ]
            // The runtime's account of a trap takes seconds.
            process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            let found = try FuzzRecord(record)
            if let result = found.result {
                total.kinds = max(total.kinds, result.kinds)
                total.seconds += result.seconds
                if result.slowest > total.slowest {
                    (total.slowest, total.slowestLength) = (result.slowest, result.slowestLength)
                }
                if result.memory > total.memory {
                    (total.memory, total.memoryLength) = (result.memory, result.memoryLength)
                }
            }
            total.count += found.begun
            if process.terminationReason == .exit, process.terminationStatus == 0 { break }
            total.crashes.append(try keep(found.input, process))
            round += 1
        }
        return total
    }

    /// Writes an input into the folder of crashes; gives its name and how the process ended.
    private func keep(_ input: [UInt8], _ process: Process) throws -> String {
        try FileManager.default.createDirectory(atPath: crashes, withIntermediateDirectories: true)
        let hash = input.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let path = "\(crashes)/\(name)-\(String(hash, radix: 16)).bin"
        try Data(input).write(to: URL(filePath: path))
        let isSignal = process.terminationReason == .uncaughtSignal
        return "\(path): \(isSignal ? "signal" : "status") \(process.terminationStatus)"
    }
}
