import CKernels

/// The processor that this program runs on.
public enum Processor {
    /// What it calls itself, such as `AMD EPYC 9654 96-Core Processor`; the architecture where it has no name.
    public static var name: String {
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 49) { buffer in
            diptych_processor_name(buffer.baseAddress!)
            return String(cString: buffer.baseAddress!)
        }
        let words = text.split(separator: " ").joined(separator: " ")
        return words.isEmpty ? architecture : words
    }

    /// `x86-64`, `arm64` or another.
    public static var architecture: String {
        #if arch(x86_64)
            "x86-64"
        #elseif arch(arm64)
            "arm64"
        #else
            "another architecture"
        #endif
    }
}
