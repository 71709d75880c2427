import CKernels

/// How many processors this process may use: as its affinity says (`taskset`, a batch system), and no more than the
/// quota of its control group (`docker run --cpus`, a systemd slice) pays for.
public struct ProcessorShare: Sendable, Equatable {
    /// Processors that the system lets the process run on.
    public let affinity: Int
    /// Processors that the control group's quota amounts to, such as 1.5; nil without a quota.
    public let quota: Double?

    /// The processors that threads should be made for: the affinity, or the quota rounded up where that is less.
    public var count: Int { max(1, min(affinity, quota.map { Int($0.rounded(.up)) } ?? affinity)) }

    /// The share of this process when it was first asked for.
    public static let current = ProcessorShare(
        affinity: Int(diptych_affinity_count()), quota: ControlGroup.current.processorQuota)

    /// A share of the given parts.
    public init(affinity: Int, quota: Double?) {
        self.affinity = affinity
        self.quota = quota
    }
}
