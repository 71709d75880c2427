import Foundation
import TensorCore
import Training

/// Which kernels OpenBLAS should use.
///
/// OpenBLAS picks them by a table of processor models when it is loaded. A processor younger than the table is taken for
/// a Prescott of 2004, several times slower than it is. `OPENBLAS_CORETYPE` overrides the table, but only before the
/// library is loaded: the program starts itself again with it.
package enum BLASCore {
    /// The kernels to ask for, or `nil` when the choice is good or the user has made it.
    ///
    /// `flags` are the processor's, as `/proc/cpuinfo` names them.
    package static func remedy(chosen: String, flags: Set<String>, environment: [String: String]) -> String? {
        let old: Set = [
            "prescott", "katmai", "coppermine", "northwood", "banias", "atom", "core2", "penryn", "dunnington",
            "nehalem",
            "sandybridge", "athlon", "opteron", "opteron_sse3", "barcelona", "bobcat", "bulldozer", "piledriver",
            "steamroller", "nano", "generic",
        ]
        guard environment["OPENBLAS_CORETYPE"] == nil, old.contains(chosen.lowercased()) else { return nil }
        if flags.isSuperset(of: ["avx512f", "avx512vl", "avx512bw", "avx512dq"]) { return "SkylakeX" }
        if flags.isSuperset(of: ["avx2", "fma"]) { return "Haswell" }
        return nil
    }

    /// The flags of the first processor in the text of `/proc/cpuinfo`.
    package static func flags(inCPUInfo text: String) -> Set<String> {
        for line in text.split(separator: "\n") where line.hasPrefix("flags") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            return Set(line[line.index(after: colon)...].split(separator: " ").map(String.init))
        }
        return []
    }

    /// Starts the program again, once, with the right kernels when OpenBLAS chose wrongly; `--verbose` says so.
    static func restartIfMisjudged() {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let chosen = CPUBackend.blasCoreName
        let environment = ProcessInfo.processInfo.environment
        guard let core = remedy(chosen: chosen, flags: flags(inCPUInfo: text), environment: environment) else { return }
        if CommandLine.arguments.contains("--verbose") {
            let line = "OpenBLAS took this processor for a \(chosen): starting again with OPENBLAS_CORETYPE=\(core)\n"
            StandardStream.error.write(line)
        }
        setenv("OPENBLAS_CORETYPE", core, 1)
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) }
        arguments.append(nil)
        // It returns only when it fails; then the program goes on with the slow kernels.
        execv("/proc/self/exe", arguments)
        if CommandLine.arguments.contains("--verbose") {
            StandardStream.error.write("could not start again: \(String(cString: strerror(errno)))\n")
        }
    }
}
