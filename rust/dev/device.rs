// SPDX-License-Identifier: GPL-2.0

//! The device node.
//!
//! C header: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h)

use kernel::{
    bindings,
    error::to_result,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions, //
    },
    prelude::*,
    types::Opaque, //
};

/// A misc device whose open files hold a reference to the module.
///
/// [`MiscDeviceRegistration`](kernel::miscdevice::MiscDeviceRegistration) does not set the `owner` of the
/// file operations, so the module could be unloaded while a file is open. This registers the same
/// device with an owner.
///
/// # Invariants
///
/// `misc` is registered, and points to `_fops`.
#[pin_data(PinnedDrop)]
pub(crate) struct Device {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    _fops: KBox<bindings::file_operations>,
}

// SAFETY: A device can be deregistered by any thread.
unsafe impl Send for Device {}
// SAFETY: A `&Device` gives no access to the fields.
unsafe impl Sync for Device {}

impl Device {
    /// Registers the device. devtmpfs creates `/dev/NAME` with mode 0600.
    ///
    /// Context: process, may sleep.
    pub(crate) fn new<T: MiscDevice>(
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let mut misc = MiscDeviceOptions { name }.into_raw::<T>();
            // SAFETY: The kernel crate has set `fops` to its file operations, which are static.
            let mut fops = KBox::new(unsafe { *misc.fops }, GFP_KERNEL)?;
            fops.owner = module.as_ptr();
            misc.fops = &*fops;
            Ok(try_pin_init!(Self {
                misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                    // SAFETY: `slot` is valid for writes. The open function of the kernel crate casts
                    // it to a `MiscDeviceRegistration<T>`, which is a transparent `miscdevice`.
                    unsafe {
                        slot.write(misc);
                        to_result(bindings::misc_register(slot))
                    }
                }),
                _fops: fops,
            }? Error))
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Device {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant the device is registered.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}

#[kunit_tests(bpf_percpu_device)]
mod tests {
    use super::*;
    use crate::dev::ControlFile;

    const MODULE: &ThisModule = &<crate::LocalModule as kernel::ModuleMetadata>::THIS_MODULE;

    fn device() -> Result<Pin<KBox<Device>>> {
        let device = Device::new::<ControlFile>(c"bpf_percpu_kunit", MODULE);
        KBox::pin_init(device, GFP_KERNEL)
    }

    #[test]
    fn holds_the_module() -> Result {
        let device = device()?;
        // SAFETY: The device is registered, and nobody writes it any more.
        let misc = unsafe { &*device.misc.get() };
        assert!(core::ptr::eq(misc.fops, &*device._fops));
        assert_eq!(device._fops.owner, MODULE.as_ptr());
        Ok(())
    }

    #[test]
    fn keeps_the_file_operations() -> Result {
        let fops = &device()?._fops;
        assert!(fops.open.is_some() && fops.release.is_some());
        assert!(fops.unlocked_ioctl.is_some());
        Ok(())
    }

    #[test]
    fn is_registered_while_it_lives() -> Result {
        // The kernel would warn about the name if a device were left.
        for _ in 0..3 {
            let device = device()?;
            // SAFETY: The device is registered, and nobody writes it any more.
            let misc = unsafe { &*device.misc.get() };
            assert!(!misc.this_device.is_null());
            assert!(misc.minor >= 0 && misc.minor != bindings::MISC_DYNAMIC_MINOR as c_int);
        }
        Ok(())
    }

    #[test]
    fn is_its_owners_only() -> Result {
        // For this mode, devtmpfs creates the node with 0600.
        let device = device()?;
        // SAFETY: The device is registered, and nobody writes it any more.
        assert_eq!(unsafe { (*device.misc.get()).mode }, 0);
        Ok(())
    }
}
